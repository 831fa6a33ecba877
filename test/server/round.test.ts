import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GearmanClient } from '../../src/client/client.js';
import { JobServer } from '../../src/server/server.js';
import { GearmanWorker } from '../../src/worker/worker.js';

describe('JobServer', () => {
  it('serves a client and a worker', async (t) => {
    await using server = await new JobServer().listen({ port: 0 });
    const client = new GearmanClient(server.address);
    t.after(() => client.close());
    const handle = await client.doBackground('reverse', 'this is a test');
    assert.equal(handle, 'H:server:1');
    assert.deepEqual(await client.jobStatus(handle), [true, false, 0, 0]);
    const worker = new GearmanWorker(server.address);
    t.after(() => worker.close());
    worker.addFunction('reverse', async (job) => {
      job.sendStatus(1, 2);
      assert.deepEqual(await client.jobStatus(handle), [true, true, 1, 2]);
      return job.workload.toReversed();
    });
    await worker.start();
    for await (const { known } of client.watch(handle, { interval: 5 })) if (!known) break;
    assert.deepEqual(await client.jobStatus(handle), [false, false, 0, 0]);
  });
});
