/** Clients that leave before their jobs have ended. */
import assert from 'node:assert/strict';
import type { Theme } from './scene.js';

export const leaving: Theme = {
  'a job that nobody waits for any more does not start': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await scene.leave(client);
    await worker.grabNothing();
    assert.equal(await scene.counts(), '0 0 1');
  },

  'it stands in the queue until a worker would get it': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await scene.leave(client);
    const watcher = await scene.peer();
    assert.equal(await watcher.status(handle), '1 0 0 0');
    assert.equal(await watcher.statusByUnique(scene.unique), '1 0 0 0 0');
    assert.equal(await scene.counts(), '1 0 0');
    await (await scene.worker()).grabNothing();
    assert.equal(await watcher.status(handle), '0 0 0 0');
  },

  'one that somebody joins meanwhile starts': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, 'first');
    await scene.leave(client);
    const other = await scene.peer();
    assert.equal(await other.submit('SUBMIT_JOB', scene.fn, scene.unique, 'second'), handle);
    const isLost = scene.differs('submissions join jobs that never start');
    assert.deepEqual(await worker.drain(), isLost ? [] : ['first']);
    if (!isLost) await other.expect('WORK_COMPLETE', handle, '');
    await other.quiet();
  },

  'one that is submitted in the background meanwhile starts': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, 'first');
    await scene.leave(client);
    const other = await scene.peer();
    assert.equal(await other.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, 'second'), handle);
    assert.deepEqual(await worker.drain(), scene.differs('submissions join jobs that never start') ? [] : ['first']);
  },

  'a running job that somebody joins is done again when its worker is lost': async (scene) => {
    const { client, worker, handle } = await scene.running('w');
    await scene.leave(client);
    const other = await scene.peer();
    assert.equal(await other.submit('SUBMIT_JOB', scene.fn, scene.unique, ''), handle);
    await scene.leave(worker);
    const isLost = scene.differs('submissions join jobs that never start');
    assert.deepEqual(await (await scene.worker()).drain(), isLost ? [] : ['w']);
    if (!isLost) await other.expect('WORK_COMPLETE', handle, '');
    await other.quiet();
  },

  'a job that somebody else waits for starts': async (scene) => {
    const [client, worker] = await scene.pair();
    const other = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, 'w');
    assert.equal(await other.submit('SUBMIT_JOB', scene.fn, scene.unique, ''), handle);
    await scene.leave(client);
    assert.deepEqual(await worker.drain(), ['w']);
    await other.expect('WORK_COMPLETE', handle, '');
    await other.quiet();
  },

  'a job that was submitted in the background first, then in the foreground': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, 'w');
    await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await scene.leave(client);
    assert.deepEqual(
      await worker.drain(),
      scene.differs('background jobs are lost with their last listener') ? [] : ['w'],
    );
  },

  'a job that was submitted in the foreground first, then in the background': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB', scene.fn, scene.unique, 'w');
    await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    await scene.leave(client);
    assert.deepEqual(
      await worker.drain(),
      scene.differs('background jobs are lost with their last listener') ? [] : ['w'],
    );
  },

  'the jobs behind it are not lost': async (scene) => {
    const [client, worker] = await scene.pair();
    const other = await scene.peer();
    for (const workload of ['1', '2', '3']) {
      await other.submit('SUBMIT_JOB_BG', scene.fn, '', workload);
      await client.submit('SUBMIT_JOB', scene.fn, '', 'x');
    }
    await scene.leave(client);
    assert.deepEqual(await worker.drain(), ['1', '2', '3']);
    assert.equal(await scene.counts(), '0 0 1');
  },

  'a running job goes on, and its worker is told nothing': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await scene.leave(client);
    await worker.quiet();
    const watcher = await scene.peer();
    assert.equal(await watcher.status(handle), '1 1 0 0');
    worker.send('WORK_STATUS', handle, '1', '2').send('WORK_DATA', handle, 'd').send('WORK_WARNING', handle, 'w');
    await worker.quiet();
    assert.equal(await watcher.status(handle), '1 1 1 2');
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    assert.equal(await watcher.status(handle), '0 0 0 0');
  },

  'a running job that somebody joins later is told to him': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await scene.leave(client);
    const other = await scene.peer();
    assert.equal(await other.submit('SUBMIT_JOB', scene.fn, scene.unique, ''), handle);
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await other.expect('WORK_COMPLETE', handle, 'r');
    await other.quiet();
  },

  'a running job that nobody waits for is not done again when its worker leaves, too': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await scene.leave(client);
    await scene.leave(worker);
    const watcher = await scene.peer();
    assert.equal(await watcher.status(handle), '1 0 0 0');
    await (await scene.worker()).grabNothing();
    assert.equal(await watcher.status(handle), '0 0 0 0');
  },

  'one of several submissions of one connection cannot be taken back': async (scene) => {
    const [client, worker] = await scene.pair();
    const other = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await other.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await other.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await scene.leave(other);
    await worker.grab();
    await worker.send('WORK_COMPLETE', handle, '').quiet();
    await client.expect('WORK_COMPLETE', handle, '');
    await client.quiet();
  },

  'a client that ends its side has left': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    client.endWrite();
    await client.closed();
    while ((await (await scene.peer()).statusByUnique(scene.unique)).endsWith('1'));
    await worker.grabNothing();
  },
};
