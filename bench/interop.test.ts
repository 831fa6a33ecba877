/** The other Node clients and workers, on the embedded job server as on gearmand. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Peer } from '../test/conformance/peer.js';
import { gearmand, jobServer } from '../test/conformance/targets.js';
import { OTHERS, type Other } from './others.js';

const TIMEOUT_MS = 60_000;

const WORKLOADS = ['a text', '', 'größe ✓', 'x'.repeat(100_000), 'a\0b'];

/** A worker on a raw socket that has taken the job which `begin` submits, and what comes of that. */
async function taken<Outcome>(t: TestContext, port: number, begin: () => Promise<Outcome>) {
  const worker = new Peer(port);
  t.after(() => {
    worker.close();
  });
  await worker.send('CAN_DO', 'f').send('PRE_SLEEP').quiet();
  const outcome = begin();
  await worker.expect('NOOP');
  return { worker, job: await worker.grab(), outcome };
}

function testClient(other: Other, start: (t: TestContext) => Promise<number>): void {
  it('is told of a failure', async (t) => {
    const port = await start(t);
    const client = await other.connect(port, t);
    const { worker, job, outcome } = await taken(t, port, () => client.run('f', 'workload'));
    assert.equal(job.workload, 'workload');
    worker.send('WORK_FAIL', job.handle);
    await assert.rejects(outcome);
  });

  it('gets what comes in parts', async (t) => {
    const port = await start(t);
    const client = await other.connect(port, t);
    const { worker, job, outcome } = await taken(t, port, () => client.run('f', ''));
    worker.send('WORK_DATA', job.handle, 'one ').send('WORK_STATUS', job.handle, '1', '2');
    worker.send('WORK_DATA', job.handle, 'two ').send('WORK_COMPLETE', job.handle, 'three');
    assert.equal(await outcome, 'one two three');
  });

  it('submits with a unique ID', async (t) => {
    const port = await start(t);
    const client = await other.connect(port, t);
    const { worker, job, outcome } = await taken(t, port, () => client.run('f', '', 'an-id'));
    assert.equal(job.unique, 'an-id');
    worker.send('WORK_COMPLETE', job.handle, 'r');
    assert.equal(await outcome, 'r');
  });

  it('submits in the background, and asks how the job is', async (t) => {
    const port = await start(t);
    const { background, status } = await other.connect(port, t);
    // node-gearman knows neither.
    if (background === undefined || status === undefined) return;
    const { worker, job, outcome } = await taken(t, port, () => background('f', 'workload'));
    assert.equal(await outcome, job.handle);
    await worker.send('WORK_STATUS', job.handle, '1', '4').quiet();
    assert.deepEqual(await status(job.handle), [true, true]);
    await worker.send('WORK_COMPLETE', job.handle, '').quiet();
    assert.deepEqual(await status(job.handle), [false, false]);
  });

  it('asks what functions there are', async (t) => {
    const port = await start(t);
    const client = await other.connect(port, t);
    const { worker, job, outcome } = await taken(t, port, () => client.run('f', ''));
    if (client.functions !== undefined) assert.ok((await client.functions()).includes('f'), 'it does not know of f');
    worker.send('WORK_COMPLETE', job.handle, '');
    await outcome;
  });
}

function testPairs(start: (t: TestContext) => Promise<number>): void {
  for (const [clientName, other] of Object.entries(OTHERS)) {
    for (const [workerName, { work }] of Object.entries(OTHERS)) {
      it(`${clientName}, with the worker of ${workerName}`, async (t) => {
        const port = await start(t);
        await work(port, 'upper', (workload) => workload.toUpperCase(), t);
        const client = await other.connect(port, t);
        for (const workload of WORKLOADS) assert.equal(await client.run('upper', workload), workload.toUpperCase());
      });
    }
  }
}

for (const target of [gearmand, jobServer]) {
  const start = (t: TestContext): Promise<number> => target.start({}, t);
  describe(`clients and workers on ${target.name}`, { timeout: TIMEOUT_MS }, () => {
    testPairs(start);
  });
  for (const [name, other] of Object.entries(OTHERS)) {
    describe(`${name} on ${target.name}`, { timeout: TIMEOUT_MS }, () => {
      testClient(other, start);
    });
  }
}
