/** Workers that are lost, and jobs that go back to the queue. */
import assert from 'node:assert/strict';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

type GiveUp = (scene: Scene, worker: Peer) => Promise<unknown>;

const leave: GiveUp = (scene, worker) => scene.leave(worker);
const cantDo: GiveUp = (scene, worker) => worker.send('CANT_DO', scene.fn).quiet();
const reset: GiveUp = (_scene, worker) => worker.send('RESET_ABILITIES').quiet();

const goesBack =
  (giveUp: GiveUp): Run =>
  async (scene) => {
    const { client, worker, handle } = await scene.running('w');
    await giveUp(scene, worker);
    await client.quiet();
    assert.equal(await client.status(handle), '1 0 0 0');
    const next = await scene.worker();
    assert.deepEqual(await next.grab(), { handle, fn: scene.fn, unique: scene.unique, workload: 'w' });
    await next.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
    await client.quiet();
  };

/** A job is lost once, and once more; then it fails. */
const failsAtLimit =
  (giveUp: GiveUp): Run =>
  async (scene) => {
    const limited = scene.with({ jobRetries: 2 });
    const { client, worker, handle } = await limited.running();
    await giveUp(limited, worker);
    const second = await limited.worker();
    assert.equal((await second.grab()).handle, handle);
    await client.quiet();
    await giveUp(limited, second);
    await client.expect('WORK_FAIL', handle);
    await client.quiet();
    assert.equal(await client.status(handle), '0 0 0 0');
    await (await limited.worker()).grabNothing();
  };

export const requeueing: Theme = {
  'a job goes back to the queue when its worker is lost': goesBack(leave),
  'a job goes back to the queue when its worker cannot do its function any more': goesBack(cantDo),
  'a job goes back to the queue when its worker resets its abilities': goesBack(reset),

  'with job retries, a job fails when its workers are lost': failsAtLimit(leave),
  'with job retries, a job fails when its workers cannot do it': failsAtLimit(cantDo),
  'with job retries, a job fails when its workers reset their abilities': failsAtLimit(reset),

  'with job retries, one in the background just ends': async (scene) => {
    const limited = scene.with({ jobRetries: 2 });
    const client = await limited.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', limited.fn, limited.unique, '');
    for (let i = 0; i < 2; i++) {
      assert.equal(await client.status(handle), '1 0 0 0');
      const worker = await limited.worker();
      assert.equal((await worker.grab()).handle, handle);
      await limited.leave(worker);
    }
    assert.equal(await client.status(handle), '0 0 0 0');
    await client.quiet();
    assert.equal(await limited.counts(), '0 0 0');
  },

  'with job retries, each submission is told of the failure': async (scene) => {
    const limited = scene.with({ jobRetries: 1 });
    const { client, worker, handle } = await limited.running();
    const other = await limited.peer();
    await client.submit('SUBMIT_JOB', limited.fn, limited.unique, '');
    await other.submit('SUBMIT_JOB', limited.fn, limited.unique, '');
    await limited.leave(worker);
    await client.expect('WORK_FAIL', handle);
    for (const each of [client, other]) {
      await each.expect('WORK_FAIL', handle);
      await each.quiet();
    }
  },

  'without a limit it goes on for ever': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    for (let i = 0; i < 10; i++) {
      const worker = await scene.worker();
      assert.equal((await worker.grab()).handle, handle);
      await scene.leave(worker);
    }
    await client.quiet();
    assert.deepEqual(await scene.lines('show jobs', handle + '\t'), [`${handle}\t10\t0\t0`]);
  },

  'it goes to the tail of its priority': async (scene) => {
    const [client, worker] = await scene.pair();
    for (const workload of ['lost', '1', '2']) await client.submit('SUBMIT_JOB_BG', scene.fn, '', workload);
    await client.submit('SUBMIT_JOB_LOW_BG', scene.fn, '', 'low');
    assert.equal((await worker.grab()).workload, 'lost');
    await scene.leave(worker);
    assert.deepEqual(await (await scene.worker()).drain(), ['1', '2', 'lost', 'low']);
  },

  'several jobs go back, the latest first': async (scene) => {
    const [client, worker] = await scene.pair();
    for (const workload of ['1', '2', '3', '4']) await client.submit('SUBMIT_JOB_BG', scene.fn, '', workload);
    for (let i = 0; i < 3; i++) await worker.grab();
    await scene.leave(worker);
    assert.deepEqual(await (await scene.worker()).drain(), ['4', '3', '2', '1']);
  },

  'several jobs of several functions go back': async (scene) => {
    const [f, g] = [scene.name('f'), scene.name('g')];
    const client = await scene.peer();
    const worker = await scene.worker(f, g);
    for (const fn of [f, g]) await client.submit('SUBMIT_JOB_BG', fn, '', fn);
    for (let i = 0; i < 2; i++) await worker.grab();
    await worker.send('RESET_ABILITIES').quiet();
    assert.deepEqual((await (await scene.worker(f, g)).drain()).toSorted(), [f, g]);
  },

  'CANT_DO takes the jobs of that function alone': async (scene) => {
    const [f, g] = [scene.name('f'), scene.name('g')];
    const client = await scene.peer();
    const worker = await scene.worker(f, g);
    const ofF = await client.submit('SUBMIT_JOB', f, '', '');
    const ofG = await client.submit('SUBMIT_JOB', g, '', '');
    for (let i = 0; i < 2; i++) await worker.grab();
    await worker.send('CANT_DO', f).quiet();
    assert.equal(await client.status(ofF), '1 0 0 0');
    assert.equal(await client.status(ofG), '1 1 0 0');
    worker.send('WORK_COMPLETE', ofF, '');
    assert.equal(await worker.expectError('JOB_NOT_FOUND'), 'Job given in work result not found');
    await worker.send('WORK_COMPLETE', ofG, '').quiet();
    await client.expect('WORK_COMPLETE', ofG, '');
    await client.quiet();
  },

  'who gave it up may take it again': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('CANT_DO', scene.fn).send('CAN_DO', scene.fn).quiet();
    assert.equal((await worker.grab()).handle, handle);
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
  },

  'who gave it up gets no queued jobs of that function either': async (scene) => {
    const { client, worker } = await scene.running();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.send('CANT_DO', scene.fn).quiet();
    await worker.grabNothing();
  },

  'a sleeping worker is woken for it': async (scene) => {
    const { worker, handle } = await scene.running();
    const sleeper = await scene.worker();
    await sleeper.send('PRE_SLEEP').quiet();
    await scene.leave(worker);
    await sleeper.expect('NOOP');
    assert.equal((await sleeper.grab()).handle, handle);
  },

  'what the lost worker said is not taken back': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_DATA', handle, '1').quiet();
    await scene.leave(worker);
    const next = await scene.worker();
    await next.grab();
    await next.send('WORK_DATA', handle, '2').send('WORK_COMPLETE', handle, '3').quiet();
    await client.expect('WORK_DATA', handle, '1');
    await client.expect('WORK_DATA', handle, '2');
    await client.expect('WORK_COMPLETE', handle, '3');
  },

  'a job that has failed does not go back': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_FAIL', handle).quiet();
    await client.expect('WORK_FAIL', handle);
    await scene.leave(worker);
    await (await scene.worker()).grabNothing();
  },

  'a worker that is lost without a job takes nothing along': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'w');
    await scene.leave(worker);
    assert.equal(await scene.counts(), '1 0 0');
    assert.deepEqual(await (await scene.worker()).drain(), ['w']);
  },
};
