/** The example of PHP's manual: a job in the background, and a monitor that polls its status. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { GearmanClient } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { isWanted } from '../support/programs.js';
import { SteppedWorker } from '../support/stepped-worker.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url);
const php = (file: string): string => new URL(`php/${file}`, import.meta.url).pathname;
const EXAMPLE = ['--import', 'tsx', 'examples/monitor.ts'];

const LINES = `\
Running: true, numerator: 3, denominator: 14
Running: true, numerator: 6, denominator: 14
Running: true, numerator: 9, denominator: 14
Running: true, numerator: 12, denominator: 14
Running: false, numerator: 0, denominator: 0
done!
`;

describe('the monitor', () => {
  it('sees the steps of a worker, and then that the job is not known any more', async (t) => {
    const gearmand = await Gearmand.start(t);
    const worker = new SteppedWorker(gearmand.port, 'reverse');
    const client = new GearmanClient(gearmand.name);
    t.after(() => {
      worker.close();
    });
    const handle = await client.doBackground('reverse', 'this is a test');
    assert.deepEqual(await client.jobStatus(handle), [true, false, 0, 0], 'queued');

    const job = await worker.grab();
    assert.equal(job.handle, handle);
    assert.equal(job.workload.toString(), 'this is a test');
    assert.deepEqual(await client.jobStatus(handle), [true, true, 0, 0], 'running');
    for (const step of [3, 6, 9, 12]) {
      worker.status(job, step, 14);
      await worker.done();
      assert.deepEqual(await client.jobStatus(handle), [true, true, step, 14]);
    }
    worker.complete(job, 'tset a si siht');
    await worker.done();
    assert.deepEqual(await client.jobStatus(handle), [false, false, 0, 0]);
    await client.close();
  });
});

/**
 * A proxy in front of gearmand that holds each question for a job's status until `prepare` is done: what the answer will be does not
 * depend on how fast anything is. Returns its `host:port`.
 */
async function startGate(t: TestContext, gearmand: Gearmand, prepare: () => Promise<void>): Promise<string> {
  const GET_STATUS = Buffer.from('\0REQ\0\0\0\x0f');
  const forward = async (socket: net.Socket, upstream: net.Socket): Promise<void> => {
    // A monitor asks for one thing at a time, in one write.
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      if (chunk.includes(GET_STATUS)) await prepare();
      upstream.write(chunk);
    }
    upstream.destroy();
  };
  const server = net.createServer((socket) => {
    const upstream = net.connect(gearmand.port, '127.0.0.1');
    upstream.pipe(socket);
    forward(socket, upstream).catch(() => upstream.destroy());
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** PHP's worker, and what makes it take its next steps: three between two questions. */
function startPhpWorker(t: TestContext, gearmand: Gearmand): () => Promise<void> {
  const worker = spawn('php', [php('worker.php'), gearmand.name], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => worker.kill('SIGKILL'));
  const handles = createInterface(worker.stdout)[Symbol.asyncIterator]();
  const client = new GearmanClient(gearmand.name);
  let handle = '';
  let step = 14;
  return async () => {
    if (step === 14) {
      step = 0;
      const next = await handles.next();
      handle = String(next.value);
    }
    const before = step;
    step = Math.min(14, before + 3);
    worker.stdin.write('\n'.repeat(step - before));
    for await (const { numerator } of client.watch(handle, { interval: 1 })) if (step < 14 && numerator === step) break;
  };
}

describe('examples/monitor.ts', () => {
  // Empty is as good as none.
  const environment = { ...process.env, GEARMAN_SERVERS: '' };

  if (isWanted("PHP's client")) {
    it('prints the same lines as the monitor of PHP, with a worker of PHP', async (t) => {
      const gearmand = await Gearmand.start(t);
      const gate = await startGate(t, gearmand, startPhpWorker(t, gearmand));
      const theirs = await run('php', [php('monitor.php'), gate, '1']);
      const env = { ...environment, GEARMAN_SERVERS: gate, INTERVAL: '1' };
      const ours = await run(process.execPath, EXAMPLE, { cwd: root, env });
      assert.equal(theirs.stdout, LINES);
      assert.equal(ours.stdout, LINES);
      assert.equal(ours.stderr, '');
    });
  }

  /** Starts it as the head of a group of processes, which is empty once all have ended. */
  function start(env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, EXAMPLE, {
      cwd: root,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { pid } = child;
    assert.ok(pid !== undefined);
    const groupExists = (): boolean => {
      try {
        return process.kill(-pid, 0);
      } catch {
        return false;
      }
    };
    /** Resolves when no process is left; tsx has a helper that sees its end a moment later. */
    const groupEnded = async (): Promise<void> => {
      for (const limit = Date.now() + 5000; groupExists();) {
        assert.ok(Date.now() < limit, 'a process is left behind');
        await sleep(20);
      }
    };
    return { child, groupEnded };
  }

  it('brings its own job server and worker, ends by itself and leaves no process behind', async () => {
    const { child, groupEnded } = start({ ...environment, GEARMAN_SERVERS: '', INTERVAL: '30' });
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += String(chunk)));
    assert.deepEqual(await once(child, 'close'), [0, null]);
    // How far the worker is at each question depends on the machine here; the last lines do not.
    assert.match(stdout, /^(Running: true, numerator: \d+, denominator: (0|14)\n)+/);
    assert.ok(stdout.endsWith(LINES.slice(LINES.indexOf('Running: false'))), stdout);
    await groupEnded();
  });

  it('leaves no process behind when it is interrupted', async () => {
    // Long enough that it does not end by itself before the signal comes.
    const { child, groupEnded } = start({ ...environment, INTERVAL: '300' });
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [1, null]);
    await groupEnded();
  });

  it('says how to install a job server where there is none', async () => {
    const { child } = start({ ...environment, PATH: '' });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += String(chunk)));
    assert.deepEqual(await once(child, 'close'), [1, null]);
    assert.match(stderr, /apt-get install gearman-job-server.*GEARMAN_SERVERS/s);
  });
});
