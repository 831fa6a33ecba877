/** What gearmand does with the jobs that the client submits. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { GearmanClient, GearmanServerError, uniqueFor, type GearmanClientOptions } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { SteppedWorker } from '../support/stepped-worker.js';

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
      const [job] = await worker.drain(1);
      assert.ok(job?.workload.equals(workload), `${size} bytes`);
    }
  });

  it('may contain NULs, what looks like a packet, and any text', async (t) => {
    const { worker, client } = await setUp(t);
    for (const text of ['\0', 'a\0b\0', '\0RES\0\0\0\x08\0\0\0\0', 'größe ✓ 🎉']) {
      await client.doBackground('f', text);
      const [job] = await worker.drain(1);
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
    for await (const { known } of client.watch(first, { interval: 5 })) if (!known) break;
    assert.notEqual(await client.doBackground('f', 'fourth', 'id'), first, 'ended');
  });

  it('is a new one for each job that has none', async (t) => {
    const { worker, client } = await setUp(t);
    const handles = await Promise.all([client.doBackground('f', 'w'), client.doBackground('f', 'w', '')]);
    assert.equal(new Set(handles).size, 2);
    for (const { unique } of await worker.drain(2)) assert.match(unique, /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-/);
  });

  it("coalesces by workload, as '-' and with uniqueFor", async (t) => {
    const { gearmand, client } = await setUp(t);
    const submit = (workload: string, unique: string): Promise<string> => client.doBackground('g', workload, unique);
    assert.equal(await submit('a', '-'), await submit('a', '-'));
    assert.notEqual(await submit('a', '-'), await submit('b', '-'));
    assert.equal(await submit('c', uniqueFor('c')), await submit('c', uniqueFor('c')));
    assert.equal(await gearmand.countJobs('g'), 3);
  });

  it('of 63 bytes is told apart from its neighbours', async (t) => {
    const { worker, client } = await setUp(t);
    const ids = ['x', 'y'].map((end) => 'ü'.repeat(31) + end);
    await Promise.all(ids.map((id) => client.doBackground('f', 'w', id)));
    assert.deepEqual((await worker.drain(2)).map(({ unique }) => unique).sort(), ids);
  });
});

describe('a job', () => {
  it('runs by its priority', async (t) => {
    const { worker, client } = await setUp(t);
    await client.doLowBackground('f', 'low');
    await client.doBackground('f', 'normal');
    await client.doHighBackground('f', 'high');
    await client.submitBackground('f', 'high too', { priority: 'high' });
    const order = (await worker.drain(4)).map(({ workload }) => workload.toString());
    assert.deepEqual(order, ['high', 'high too', 'normal', 'low']);
  });

  it('waits for its time, or not if that is over', async (t) => {
    const { worker, client } = await setUp(t);
    const later = await client.doBackground('f', 'later', { at: new Date(Date.now() + 3_600_000) });
    await client.doBackground('f', 'past', { at: new Date(1000) });
    const [job] = await worker.drain(1);
    assert.equal(job?.workload.toString(), 'past');
    assert.deepEqual(await client.jobStatus(later), [true, false, 0, 0]);
  });

  it('may name a reducer', async (t) => {
    const { worker, client } = await setUp(t);
    await client.doBackground('f', 'map this', { reducer: 'sum' });
    const [job] = await worker.drain(1);
    assert.equal(job?.workload.toString(), 'map this');
  });

  it('has the prefix in front of its function', async (t) => {
    const { gearmand, client } = await setUp(t, { prefix: 'shop/' });
    await client.doBackground('mail', 'w');
    assert.equal(await gearmand.countJobs('shop/mail'), 1);
  });

  it('that gearmand refuses rejects with what it says', async (t) => {
    const { gearmand, client } = await setUp(t);
    await client.doBackground('g', 'w');
    await gearmand.ask('maxqueue g 1');
    await assert.rejects(client.doBackground('g', 'w'), (error) => {
      assert.ok(error instanceof GearmanServerError);
      assert.equal(error.serverCode, 'QUEUE_ERROR');
      assert.match(error.message, /Job queue is full/);
      return true;
    });
  });

  it('says how it is by handle, id, unique ID and itself', async (t) => {
    const { gearmand, worker, client } = await setUp(t);
    const job = await client.submitBackground('f', 'w');
    assert.equal(job.id, `${gearmand.name}//${job.handle}`);
    assert.deepEqual(await job.status(), [true, false, 0, 0]);
    const assigned = await worker.grab();
    worker.status(assigned, 1, 2);
    for await (const { numerator } of job.watch({ interval: 5 })) if (numerator === 1) break;
    assert.deepEqual(await client.jobStatus(job.handle), [true, true, 1, 2]);
    assert.deepEqual(await client.jobStatus(job.id), [true, true, 1, 2]);
    assert.deepEqual(await client.jobStatusByUnique(job.unique), [true, true, 1, 2, 0]);
    assert.deepEqual(await client.jobStatusByUnique('unknown'), [false, false, 0, 0, 0]);
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
