/** What gearmand does with the jobs that the client submits. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import {
  GearmanClient,
  GearmanServerError,
  uniqueFor,
  type BackgroundJob,
  type GearmanClientOptions,
} from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { SteppedWorker, type AssignedJob } from '../support/stepped-worker.js';

async function setUp(t: TestContext, options: GearmanClientOptions = {}) {
  const gearmand = await Gearmand.start(t);
  const worker = new SteppedWorker(gearmand.port, 'f');
  const client = new GearmanClient({ servers: gearmand.name, ...options });
  t.after(() => {
    worker.close();
    client.destroy();
  });
  return { gearmand, worker, client };
}

describe('a workload', () => {
  const sizes = [0, 1, 16_383, 16_384, 65_500, 1024 * 1024, 64 * 1024 * 1024];
  it('arrives byte for byte, from 0 bytes to 64 MiB', async (t) => {
    const { worker, client } = await setUp(t, { timeout: 60_000 });
    for (const size of sizes) {
      const workload = randomBytes(size);
      await client.doBackground('f', workload);
      const [job] = await worker.take(1);
      assert.ok(job?.workload.equals(workload), `${size} bytes`);
    }
  });

  it('may contain NULs, what looks like a packet, and any text', async (t) => {
    const { worker, client } = await setUp(t);
    for (const text of ['\0', 'a\0b\0', '\0RES\0\0\0\x08\0\0\0\0', 'größe ✓ 🎉']) {
      await client.doBackground('f', text);
      const [job] = await worker.take(1);
      assert.equal(job?.workload.toString(), text);
    }
  });
});

describe('a unique ID', () => {
  it('is one job while that is queued or running, and a new one after it has ended', async (t) => {
    const { worker, client } = await setUp(t);
    const first = await client.doBackground('f', 'first', 'id');
    assert.equal(await client.doBackground('f', 'second', 'id'), first, 'queued');
    const job = await worker.grab();
    assert.equal(job.workload.toString(), 'first');
    assert.equal(job.unique, 'id');
    assert.equal(await client.doHighBackground('f', 'third', { unique: 'id' }), first, 'running');
    worker.complete(job);
    await worker.done();
    assert.notEqual(await client.doBackground('f', 'fourth', 'id'), first, 'ended');
  });

  it('is a new one for each job that has none', async (t) => {
    const { worker, client } = await setUp(t);
    const handles = await Promise.all([client.doBackground('f', 'w'), client.doBackground('f', 'w', '')]);
    assert.equal(new Set(handles).size, 2);
    for (const { unique } of await worker.take(2)) assert.match(unique, /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-/);
  });

  it("coalesces by workload, as '-' and with uniqueFor", async (t) => {
    const { gearmand, client } = await setUp(t);
    const submit = (workload: string, unique: string): Promise<string> => client.doBackground('g', workload, unique);
    assert.equal(await submit('a', '-'), await submit('a', '-'));
    assert.notEqual(await submit('a', '-'), await submit('b', '-'));
    assert.equal(await submit('c', uniqueFor('c')), await submit('c', uniqueFor('c')));
    // gearmand compares no empty workloads.
    assert.notEqual(await submit('', '-'), await submit('', '-'));
    assert.equal(await gearmand.countJobs('g'), 5);
  });

  it('belongs to its function', async (t) => {
    const { gearmand, client } = await setUp(t);
    const handles = await Promise.all(['g', 'h'].map((fn) => client.doBackground(fn, 'w', 'id')));
    assert.equal(new Set(handles).size, 2);
    assert.deepEqual(await gearmand.uniqueIds(), ['id', 'id']);
  });

  it('of 63 bytes is told apart from its neighbours', async (t) => {
    const { worker, client } = await setUp(t);
    const ids = ['x', 'y'].map((end) => 'ü'.repeat(31) + end);
    await Promise.all(ids.map((id) => client.doBackground('f', 'w', id)));
    for (const id of ids) assert.deepEqual(await client.jobStatusByUnique(id), [true, false, 0, 0, 0]);
    assert.deepEqual((await worker.take(2)).map(({ unique }) => unique).sort(), ids);
  });
});

describe('a job', () => {
  it('runs by its priority', async (t) => {
    const { worker, client } = await setUp(t);
    await client.doLowBackground('f', 'low');
    await client.doBackground('f', 'normal');
    await client.doHighBackground('f', 'high');
    await client.submitBackground('f', 'high too', { priority: 'high' });
    const order = (await worker.take(4)).map(({ workload }) => workload.toString());
    assert.deepEqual(order, ['high', 'high too', 'normal', 'low']);
  });

  it('waits for its time, or not if that is over', async (t) => {
    const { worker, client } = await setUp(t);
    const later = await client.doBackground('f', 'later', { at: new Date(Date.now() + 3_600_000) });
    await client.doBackground('f', 'past', { at: new Date(1000) });
    const [job] = await worker.take(1);
    assert.equal(job?.workload.toString(), 'past');
    assert.deepEqual(await client.jobStatus(later), [true, false, 0, 0]);
  });

  it('runs when its time has come, not before', async (t) => {
    const { worker, client } = await setUp(t);
    const at = new Date(Date.now() + 500);
    await client.doBackground('f', 'w', { at });
    let jobs: AssignedJob[] = [];
    // gearmand wakes no worker when the time has come, so that only asking helps.
    while (jobs.length === 0) jobs = await worker.drain();
    assert.ok(Date.now() >= at.getTime());
  });

  it('may name a reducer, which the worker is told', async (t) => {
    const { worker, client } = await setUp(t);
    await client.doBackground('f', 'map this\0and this', { reducer: 'sum', unique: 'id' });
    const [job] = await worker.take(1);
    assert.equal(job?.reducer, 'sum');
    assert.equal(job.unique, 'id');
    assert.equal(job.workload.toString(), 'map this\0and this');
  });

  it('has the prefix in front of its function, and of its reducer', async (t) => {
    const { gearmand, client } = await setUp(t, { prefix: 'shop/' });
    const worker = new SteppedWorker(gearmand.port, 'shop/mail');
    t.after(() => {
      worker.close();
    });
    const { function: name } = await client.submitBackground('mail', 'w', { reducer: 'sum' });
    const [job] = await worker.take(1);
    assert.equal(name, 'mail');
    assert.equal(job?.function, 'shop/mail');
    assert.equal(job.reducer, 'shop/sum');
  });

  it('that gearmand refuses rejects with what it says, and no other does', async (t) => {
    const { gearmand, client } = await setUp(t);
    await client.doBackground('full', 'w');
    await gearmand.ask('maxqueue full 2');
    const functions = ['full', 'full', 'other', 'full', 'other'];
    const outcomes = await Promise.allSettled(functions.map((fn) => client.doBackground(fn, 'w')));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    );
    for (const error of refused) {
      assert.ok(error instanceof GearmanServerError);
      assert.equal(error.code, 'GEARMAN_SERVER_ERROR');
      assert.equal(error.serverCode, 'QUEUE_ERROR');
      assert.match(error.message, /Job queue is full/);
      assert.equal(error.maybeSubmitted, false);
      assert.equal(error.server, gearmand.name);
      assert.equal(error.function, 'full');
    }
    assert.equal(await gearmand.countJobs('full'), 2);
    assert.equal(await gearmand.countJobs('other'), 2);
  });

  it('that cannot be one never gets to gearmand', async (t) => {
    const { gearmand, client } = await setUp(t);
    const tooLarge = { code: 'GEARMAN_ARGUMENT_TOO_LARGE' };
    const invalid = { code: 'GEARMAN_INVALID_ARGUMENT' };
    await assert.rejects(client.doBackground('f', 'w', 'ü'.repeat(32)), tooLarge);
    await assert.rejects(client.doBackground('f'.repeat(512), 'w'), tooLarge);
    await assert.rejects(client.jobStatus('H'.repeat(64)), tooLarge);
    await assert.rejects(client.jobStatusByUnique('x'.repeat(64)), tooLarge);
    await assert.rejects(client.doBackground('', 'w'), invalid);
    await assert.rejects(client.doBackground('f\0', 'w'), invalid);
    await assert.rejects(client.doBackground('f', 'w', 'a\0b'), invalid);
    await assert.rejects(client.doBackground('f', 'w', '#'), invalid);
    await assert.rejects(client.doBackground('f', { text: 'w' } as never), invalid);
    assert.deepEqual(
      client.servers.map(({ state }) => state),
      ['idle'],
      'there is not even a connection',
    );
    assert.deepEqual(await gearmand.handles(), []);
  });

  it('says how it is by handle, id, unique ID and itself', async (t) => {
    const { gearmand, worker, client } = await setUp(t);
    const job = await client.submitBackground('f', 'w');
    assert.equal(job.id, `${gearmand.name}//${job.handle}`);
    assert.deepEqual(await job.status(), [true, false, 0, 0]);
    const assigned = await worker.grab();
    worker.status(assigned, 1, 2);
    await worker.done();
    assert.deepEqual(await job.status(), [true, true, 1, 2]);
    assert.deepEqual(await client.jobStatus(job.handle), [true, true, 1, 2]);
    assert.deepEqual(await client.jobStatus(job.id), [true, true, 1, 2]);
    assert.deepEqual(await client.jobStatusByUnique(job.unique), [true, true, 1, 2, 0]);
    assert.deepEqual(await client.jobStatusByUnique('unknown'), [false, false, 0, 0, 0]);
  });
});

describe('a persistent queue', () => {
  const startPersistent = async (t: TestContext): Promise<Gearmand> => {
    const folder = await mkdtemp(path.join(tmpdir(), 'gearman-client-queue-'));
    t.after(() => rm(folder, { recursive: true }));
    return Gearmand.start(t, '--queue-type', 'libsqlite3', '--libsqlite3-db', path.join(folder, 'queue'));
  };

  it('has other handles after a restart, and a background job finds itself', async (t) => {
    const gearmand = await startPersistent(t);
    const client = new GearmanClient({ servers: gearmand.name, backoff: { min: 1, max: 5 } });
    t.after(() => {
      client.destroy();
    });
    const jobs: BackgroundJob[] = [];
    for (const workload of ['1', '2', '3']) jobs.push(await client.submitBackground('f', workload));
    const [first, second, third] = jobs;
    assert.ok(first && second && third);
    const before = new SteppedWorker(gearmand.port, 'f');
    await before.take(1);
    await before.done();
    before.close();
    assert.deepEqual(await first.status(), [false, false, 0, 0]);

    await gearmand.kill();
    await gearmand.restart();
    const handles = await gearmand.handles();
    assert.ok(handles.includes(first.handle), 'the first handle is that of another job now');
    assert.deepEqual(await first.status(), [false, false, 0, 0]);
    assert.deepEqual(await second.status(), [true, false, 0, 0]);
    assert.deepEqual(await third.status(), [true, false, 0, 0]);
    const after = new SteppedWorker(gearmand.port, 'f');
    t.after(() => {
      after.close();
    });
    assert.deepEqual((await after.take(2)).map(({ unique }) => unique).sort(), [second.unique, third.unique].sort());
    await after.done();
    assert.deepEqual(await third.status(), [false, false, 0, 0]);
  });
});

describe('a process', () => {
  it('that submits once and closes nothing ends by itself', async (t) => {
    const { gearmand } = await setUp(t);
    const script = `
      import { GearmanClient } from './src/index.ts';
      new GearmanClient('localhost:${gearmand.port}').doBackground('once', 'w').then(console.log);
    `;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: new URL('../..', import.meta.url) });
    assert.match(stdout, /^H:.*:\d+\n$/);
    assert.equal(await gearmand.countJobs('once'), 1);
  });
});
