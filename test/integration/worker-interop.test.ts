/** The worker with the clients of others, and this client with the workers of others. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { JobFailed, JobRetry, type GearmanClient } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { Hands } from '../support/hands.js';
import { run, script, startAsker } from '../support/others.js';
import { isWanted } from '../support/programs.js';
import { clientOf, foregroundOf, workerOf } from '../support/workers.js';

const hex = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('hex');

/** A server with a worker that can do what clients may see. */
async function setUp(t: TestContext): Promise<Gearmand> {
  const gearmand = await Gearmand.start(t);
  let attempts = 0;
  const worker = workerOf(
    t,
    [gearmand],
    {
      reverse: ({ workload }) => workload.toReversed(),
      nothing: () => undefined,
      parts: async (job) => {
        await job.sendData('a\0b\0');
        await job.sendWarning('\0c');
        await job.sendData('d');
        return 'e';
      },
      progress: (job) => {
        job.sendStatus(1, 2);
        job.sendStatus(2, 2);
      },
      fails: () => {
        throw new JobFailed();
      },
      throws: () => {
        throw new Error('größe is none');
      },
      second: () => {
        if (++attempts % 2 === 1) throw new JobRetry();
        return 'at the second attempt';
      },
    },
    { concurrency: 2 },
  );
  await worker.start();
  return gearmand;
}

/** Bytes that somebody may take for text, for the end of an argument or for a number. */
const WORKLOADS = [
  ' ',
  'größe ✓ 🎉',
  '0',
  '\0',
  'a\0b\0',
  '\n\n',
  Buffer.from([0xff, 0xfe, 0, 0x80]),
  randomBytes(50_000),
];

/** What a client that is told everything says of each function. */
const TOLD = {
  parts: [`data ${hex('a\0b\0')}`, `warning ${hex('\0c')}`, `data ${hex('d')}`, `complete ${hex('e')}`],
  progress: ['status 1/2', 'status 2/2', 'complete '],
  nothing: ['complete '],
  fails: ['fail '],
  throws: [`exception ${hex('größe is none')}`],
  second: [`complete ${hex('at the second attempt')}`],
};

/** Tests a program that does a job and says all that it is told of it. */
function testTasks(program: string, file: string): void {
  for (const [fn, lines] of Object.entries(TOLD)) {
    it(`is told how it is with a job of ${fn}`, async (t) => {
      const gearmand = await setUp(t);
      const { stdout } = await run(program, [script(file), gearmand.name, fn, hex('workload')]);
      assert.deepEqual(stdout.split('\n').slice(0, -1), lines);
    });
  }
}

/** Tests a program that submits a job in the background and then says how it is. */
function testBackground(program: string, file: string): void {
  it('sees the progress of a job in the background', async (t) => {
    const gearmand = await Gearmand.start(t);
    const client = clientOf(t, gearmand);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler });
    const args = [script(file), gearmand.name, 'f', hex('a\0b'), 'an-id'];
    const { handle, ask, end: endAsker } = await startAsker(t, program, args);
    assert.equal(await ask(), 'known, waiting, 0/0');
    await worker.start();
    const { job, end } = await hands.run(0);
    assert.ok(handle.endsWith(job.handle), `${handle} is ${job.handle}`);
    assert.deepEqual([job.text(), job.unique], ['a\0b', 'an-id']);
    assert.equal(await ask(), 'known, running, 0/0');
    for (const step of [3, 14]) {
      job.sendStatus(step, 14);
      await untilStatus(client, job.handle, ({ numerator }) => numerator === step);
      assert.equal(await ask(), `known, running, ${step}/14`);
    }
    end('nobody gets this');
    await untilStatus(client, job.handle, ({ known }) => !known);
    assert.equal(await ask(), 'unknown, waiting, 0/0');
    assert.deepEqual(await endAsker(), [0, null]);
  });
}

/** Resolves when the server says that of a job. */
async function untilStatus(
  client: GearmanClient,
  handle: string,
  test: (status: { known: boolean; numerator: number }) => boolean,
): Promise<void> {
  for await (const status of client.watch(handle, { interval: 1 })) if (test(status)) break;
}

describe('a client on a bare socket with this worker', () => {
  for (const [fn, lines] of Object.entries(TOLD)) {
    it(`is told how it is with a job of ${fn}`, async (t) => {
      const client = foregroundOf(t, await setUp(t), { exceptions: true });
      const { end, data, updates } = await client.run(fn, 'workload');
      const told = updates.map((update) => {
        const [what = '', ...rest] = update.split(': ');
        return `${what} ${what === 'status' ? rest.join() : hex(rest.join(': '))}`;
      });
      assert.deepEqual([...told, `${end} ${hex(data)}`], lines);
    });
  }
});

if (isWanted("PHP's client")) {
  describe("PHP's client with this worker", () => {
    it('gets results as they are (doNormal)', async (t) => {
      const gearmand = await setUp(t);
      for (const workload of WORKLOADS) {
        const bytes = Buffer.from(workload);
        const { stdout } = await run('php', [script('php/normal.php'), gearmand.name, 'reverse', hex(bytes)]);
        assert.equal(stdout, `complete ${hex(bytes.toReversed())}\n`);
      }
    });

    it('gets an empty result, the parts of one, a failure and a second attempt (doNormal)', async (t) => {
      const gearmand = await setUp(t);
      for (const [fn, line] of [
        ['nothing', 'complete '],
        // libgearman puts the parts in front of the result.
        ['parts', `complete ${hex('a\0b\0de')}`],
        ['fails', 'fail '],
        ['second', `complete ${hex('at the second attempt')}`],
      ] as const) {
        const { stdout } = await run('php', [script('php/normal.php'), gearmand.name, fn, hex('w')]);
        assert.equal(stdout, `${line}\n`, fn);
      }
    });

    testTasks('php', 'php/tasks.php');
    testBackground('php', 'php/background.php');
  });

  describe('this client with the worker of PHP', () => {
    it('hands over unique IDs and workloads as they are', async (t) => {
      const gearmand = await Gearmand.start(t);
      const worker = spawn('php', [script('php/listener.php'), gearmand.name, 'f'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => worker.kill('SIGKILL'));
      const lines = createInterface(worker.stdout)[Symbol.asyncIterator]();
      const client = clientOf(t, gearmand);
      for (const [index, workload] of ['', ...WORKLOADS].entries()) {
        const job = await client.submitBackground('f', workload, { unique: `id-${index}` });
        assert.equal((await lines.next()).value, `id-${index} ${hex(workload)}`);
        await untilStatus(client, job.handle, ({ known }) => !known);
      }
    });
  });
}

if (isWanted("Perl's Gearman::Client")) {
  describe("Perl's Gearman::Client with this worker", () => {
    it('gets results as they are', async (t) => {
      const gearmand = await setUp(t);
      // It takes "0" for nothing.
      for (const workload of ['', ...WORKLOADS].filter((each) => each !== '0')) {
        const bytes = Buffer.from(workload);
        const { stdout } = await run('perl', [script('perl/tasks.pl'), gearmand.name, 'reverse', hex(bytes)]);
        assert.equal(stdout, `complete ${hex(bytes.toReversed())}\n`);
      }
    });

    testTasks('perl', 'perl/tasks.pl');
    testBackground('perl', 'perl/background.pl');
  });
}

if (isWanted('the command gearman')) {
  const options = ({ port }: Gearmand): string[] => ['-h', '127.0.0.1', '-p', String(port)];

  /** Does a job with the command: exit code, what it wrote, and what it complained about. */
  async function gearman(gearmand: Gearmand, fn: string, workload: string | Uint8Array) {
    const child = spawn('gearman', [...options(gearmand), '-f', fn], { stdio: 'pipe' });
    child.stdin.end(workload);
    const read = async (stream: AsyncIterable<Buffer>): Promise<Buffer> => {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return Buffer.concat(chunks);
    };
    const closed = once(child, 'close') as Promise<[number]>;
    const [stdout, stderr, [code]] = await Promise.all([read(child.stdout), read(child.stderr), closed]);
    return { code, stdout, stderr: stderr.toString() };
  }

  describe('the command gearman with this worker', () => {
    it('gets results as they are', async (t) => {
      const gearmand = await setUp(t);
      for (const workload of WORKLOADS) {
        const bytes = Buffer.from(workload);
        const { code, stdout } = await gearman(gearmand, 'reverse', bytes);
        assert.equal(code, 0);
        assert.equal(hex(stdout), hex(bytes.toReversed()));
      }
    });

    it('gets parts, warnings, nothing, a failure and a second attempt', async (t) => {
      const gearmand = await setUp(t);
      const parts = await gearman(gearmand, 'parts', 'w');
      assert.deepEqual([parts.code, parts.stdout.toString()], [0, 'a\0b\0de']);
      assert.match(parts.stderr, /\0c/);
      const nothing = await gearman(gearmand, 'nothing', 'w');
      assert.deepEqual([nothing.code, nothing.stdout.length], [0, 0]);
      const fails = await gearman(gearmand, 'fails', 'w');
      assert.deepEqual([fails.code, fails.stderr], [1, 'Job failed\n']);
      const second = await gearman(gearmand, 'second', 'w');
      assert.deepEqual([second.code, second.stdout.toString()], [0, 'at the second attempt']);
    });
  });

  describe('this client with the worker gearman -w', () => {
    it('hands over workloads as they are', async (t) => {
      const gearmand = await Gearmand.start(t);
      const folder = await mkdtemp(path.join(tmpdir(), 'gearman-client-worker-'));
      t.after(() => rm(folder, { recursive: true }));
      const file = path.join(folder, 'workload');
      const args = ['-w', ...options(gearmand), '-f', 'f', '--', 'sh', '-c', 'cat > "$0"', file];
      const worker = spawn('gearman', args, { stdio: 'inherit' });
      t.after(() => worker.kill('SIGKILL'));
      const client = clientOf(t, gearmand);
      for (const workload of WORKLOADS) {
        const job = await client.submitBackground('f', workload);
        await untilStatus(client, job.handle, ({ known }) => !known);
        assert.equal(hex(await readFile(file)), hex(workload));
      }
    });
  });
}
