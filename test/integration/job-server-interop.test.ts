/** Other people's clients, workers and tools on the embedded job server, as on gearmand. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { GearmanClient, GearmanWorker } from '../../src/index.js';
import type { Assignment, Peer } from '../conformance/peer.js';
import { gearmand, jobServer, type Target } from '../conformance/targets.js';
import {
  CLIENTS,
  PROGRAMS,
  hex,
  options,
  peerOf,
  run,
  script,
  server,
  startAsker,
  startWorker,
  taken,
} from '../support/others.js';

type Start = (t: TestContext) => Promise<number>;

const WORKLOADS = ['reverse', 'a\0\xff\r\nb', 'x'];
const reversed = (workload: string): string => hex(Array.from(workload).reverse().join(''));

function testOurs(start: Start): void {
  it('this client with this worker', async (t) => {
    const servers = server(await start(t));
    const worker = new GearmanWorker({ servers });
    const client = new GearmanClient({ servers });
    t.after(() => {
      worker.destroy();
      client.destroy();
    });
    const done: string[] = [];
    worker.addFunction('f', ({ workload }) => {
      done.push(Buffer.from(workload).toString('latin1'));
    });
    await worker.start();
    for (const workload of WORKLOADS) {
      const handle = await client.doBackground('f', Buffer.from(workload, 'latin1'));
      let isKnown = true;
      for await (const { known } of client.watch(handle, { interval: 1 })) isKnown = known;
      assert.equal(isKnown, false);
    }
    assert.deepEqual(done, WORKLOADS);
  });
}

function testPairs(start: Start): void {
  for (const client of PROGRAMS) {
    for (const worker of PROGRAMS) {
      it(`a client of ${client} with a worker of ${worker}`, async (t) => {
        const port = await start(t);
        await startWorker(t, worker, port);
        for (const workload of WORKLOADS) assert.equal(await CLIENTS[client](port, workload), reversed(workload));
      });
    }
  }
}

/** What a worker says, and the lines that the scripts make of it. */
function testTasks(start: Start, [program, file]: [string, string]): void {
  const ends = [
    [(worker: Peer, { handle }: Assignment) => worker.send('WORK_COMPLETE', handle, 'r\0'), `complete ${hex('r\0')}`],
    [(worker: Peer, { handle }: Assignment) => worker.send('WORK_FAIL', handle), 'fail '],
    [(worker: Peer, { handle }: Assignment) => worker.send('WORK_EXCEPTION', handle, 'e'), `exception ${hex('e')}`],
  ] as const;
  for (const [end, last] of ends) {
    it(`is told of updates, and of the end: ${last}`, async (t) => {
      const port = await start(t);
      const { worker, job, ended } = await taken(t, port, program, [script(file), server(port), 'f', hex('w')]);
      assert.equal(job.workload, 'w');
      worker.send('WORK_STATUS', job.handle, '1', '2').send('WORK_DATA', job.handle, 'd');
      worker.send('WORK_WARNING', job.handle, '!');
      end(worker, job);
      await worker.quiet();
      const lines = ['status 1/2', `data ${hex('d')}`, `warning ${hex('!')}`, last];
      assert.deepEqual((await ended).stdout.split('\n').slice(0, -1), lines);
    });
  }
}

function testBackground(start: Start, [program, file]: [string, string]): void {
  it('submits in the background, and asks how the job is', async (t) => {
    const port = await start(t);
    const worker = peerOf(t, port);
    await worker.send('CAN_DO', 'f').quiet();
    const args = [script(file), server(port), 'f', hex('w'), 'an-id'];
    const { handle, ask, end } = await startAsker(t, program, args);
    assert.equal(await ask(), 'known, waiting, 0/0');
    const job = await worker.grab();
    assert.ok(handle.endsWith(job.handle), `${handle} is ${job.handle}`);
    assert.equal(job.unique, 'an-id');
    assert.equal(await ask(), 'known, running, 0/0');
    await worker.send('WORK_STATUS', job.handle, '3', '14').quiet();
    assert.equal(await ask(), 'known, running, 3/14');
    await worker.send('WORK_COMPLETE', job.handle, 'r').quiet();
    assert.equal(await ask(), 'unknown, waiting, 0/0');
    assert.deepEqual(await end(), [0, null]);
  });
}

function testGearman(start: Start): void {
  it('gets parts and a result, and says warnings', async (t) => {
    const port = await start(t);
    const { worker, job, ended } = await taken(t, port, 'gearman', [...options(port), '-f', 'f', 'w']);
    worker.send('WORK_DATA', job.handle, 'one ').send('WORK_WARNING', job.handle, 'careful');
    worker.send('WORK_COMPLETE', job.handle, 'two');
    const { stdout, stderr } = await ended;
    assert.equal(stdout, 'one two');
    assert.match(stderr, /careful/);
  });

  it('says that a job has failed', async (t) => {
    const port = await start(t);
    const { worker, job, ended } = await taken(t, port, 'gearman', [...options(port), '-f', 'f', 'w']);
    worker.send('WORK_FAIL', job.handle);
    assert.equal((await ended).stderr, 'Job failed\n');
  });

  it('submits in the background, with a priority and a unique ID', async (t) => {
    const port = await start(t);
    for (const [unique, ...priority] of [['low', '-L'], ['normal'], ['high', '-I'], ['normal']]) {
      await run('gearman', [...options(port), '-b', ...priority, '-u', String(unique), '-f', 'f', 'w']);
    }
    const worker = peerOf(t, port).send('CAN_DO', 'f');
    for (const unique of ['high', 'normal', 'low']) assert.equal((await worker.grab()).unique, unique);
    await worker.grabNothing();
  });
}

/** What `gearadmin` says of a worker that runs one of two jobs, by its options. */
const TOLD: readonly (readonly [string, RegExp])[] = [
  ['--status', /^f\t2\t1\t1\n\.\n$/],
  ['--priority-status', /^f\t0\t1\t0\t1\n\.\n$/],
  ['--workers', /^\d+ 127\.0\.0\.1 me : f\n/m],
  ['--show-jobs', /^H:\S+:\d+\t0\t0\t1\nH:\S+:\d+\t0\t0\t1\n\.\n$/],
  ['--show-unique-jobs', /^(one\ntwo|two\none)\n\.\n$/],
  ['--server-version', /^\d+\.\d+\.\d+\S*\n$/],
  ['--server-verbose', /^ERROR\n$/],
  ['--getpid', /^[1-9]\d*\n$/],
];

function testAdmin(start: Start): void {
  const setUp = async (t: TestContext) => {
    const port = await start(t);
    const worker = peerOf(t, port).send('CAN_DO', 'f').send('SET_CLIENT_ID', 'me');
    const handle = await worker.submit('SUBMIT_JOB_BG', 'f', 'one', '');
    await worker.submit('SUBMIT_JOB_HIGH_BG', 'f', 'two', '');
    await worker.grab();
    const admin = async (...args: string[]): Promise<string> => {
      // It also succeeds where the job server refuses.
      const { stdout, stderr } = await run('gearadmin', [...options(port), ...args]);
      return stdout + stderr;
    };
    return { worker, handle, admin };
  };

  for (const [option, answer] of TOLD) {
    it(option, async (t) => {
      const { admin } = await setUp(t);
      assert.match(await admin(option), answer);
    });
  }

  it('--cancel-job', async (t) => {
    const { admin, handle, worker } = await setUp(t);
    assert.equal(await admin('--cancel-job', handle), 'OK\n');
    await worker.grabNothing();
    assert.equal(await worker.status(handle), '0 0 0 0');
    assert.match(await admin('--cancel-job', handle), /UNKNOWN_JOB/);
  });

  it('--create-function and --drop-function', async (t) => {
    const { admin } = await setUp(t);
    assert.equal(await admin('--create-function', 'g'), 'OK\n');
    assert.match(await admin('--status'), /^g\t0\t0\t0$/m);
    assert.equal(await admin('--drop-function', 'g'), 'OK\n');
    assert.equal(await admin('--status'), 'f\t2\t1\t1\n.\n');
    assert.match(await admin('--drop-function', 'g'), /function not found/);
    assert.match(await admin('--drop-function', 'f'), /there are still connected workers/);
  });
}

function testTarget(target: Target): void {
  const start: Start = (t) => target.start({}, t);
  describe(`on ${target.name}`, () => {
    testOurs(start);
    testPairs(start);
    for (const [program, extension] of [
      ['php', 'php'],
      ['perl', 'pl'],
    ] as const) {
      if (!PROGRAMS.includes(program)) continue;
      describe(`the client of ${program}`, () => {
        testTasks(start, [program, `${program}/tasks.${extension}`]);
        testBackground(start, [program, `${program}/background.${extension}`]);
      });
    }
    if (!PROGRAMS.includes('gearman')) return;
    describe('the command gearman', () => {
      testGearman(start);
    });
    describe('the command gearadmin', () => {
      testAdmin(start);
    });
  });
}

for (const target of [gearmand, jobServer]) testTarget(target);
