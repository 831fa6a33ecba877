/** Workers that sleep, and what wakes them. */
import assert from 'node:assert/strict';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

async function sleepingPair(scene: Scene): Promise<[client: Peer, worker: Peer]> {
  const [client, worker] = await scene.pair();
  await worker.send('PRE_SLEEP').quiet();
  return [client, worker];
}

const wokenBy =
  (submit: (client: Peer, fn: string) => Promise<unknown>): Run =>
  async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    await submit(client, scene.fn);
    await worker.expect('NOOP');
    await worker.quiet();
  };

export const sleeping: Theme = {
  'a job in the foreground wakes': wokenBy((client, fn) => client.submit('SUBMIT_JOB', fn, '', '')),
  'a job in the background wakes': wokenBy((client, fn) => client.submit('SUBMIT_JOB_LOW_BG', fn, '', '')),
  'a job of the past wakes': wokenBy((client, fn) => client.submit('SUBMIT_JOB_EPOCH', fn, '', '1', '')),
  'a job of later wakes, too': wokenBy((client, fn) => client.submit('SUBMIT_JOB_EPOCH', fn, '', '4000000000', '')),
  'a job that is to be reduced wakes': wokenBy((client, fn) =>
    client.submit('SUBMIT_REDUCE_JOB', fn, '', 'sum', '0', ''),
  ),

  'many jobs wake once': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    for (let i = 0; i < 5; i++) await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.expect('NOOP');
    await worker.quiet();
  },

  'a submission that is a known job wakes nobody': async (scene) => {
    const { client, worker } = await scene.running();
    await worker.send('PRE_SLEEP').quiet();
    await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await worker.quiet();
  },

  'a job that is there wakes at once': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.send('PRE_SLEEP').expect('NOOP');
    await worker.quiet();
  },

  'each PRE_SLEEP with a job there is answered': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    for (let i = 0; i < 3; i++) await worker.send('PRE_SLEEP').expect('NOOP');
    await worker.quiet();
  },

  'a worker that is awake is not woken': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.quiet();
  },

  'grabbing ends the sleep': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    await worker.grabNothing();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.quiet();
  },

  'once woken, it is not woken again before it has grabbed': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '1');
    await worker.expect('NOOP');
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '2');
    await worker.quiet();
    assert.deepEqual(await worker.drain(), ['1', '2']);
    await worker.send('PRE_SLEEP').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '3');
    await worker.expect('NOOP');
  },

  'who was woken and sleeps again without having grabbed is not woken': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    const other = await scene.worker();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '1');
    await worker.expect('NOOP');
    assert.deepEqual(await other.drain(), ['1']);
    await worker.send('PRE_SLEEP').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '2');
    await worker.quiet();
    await worker.send('PRE_SLEEP').expect('NOOP');
  },

  'sleeping twice is one sleep': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    await worker.send('PRE_SLEEP').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.expect('NOOP');
    await worker.quiet();
  },

  'a worker that was woken for a job which another one took sleeps on, and is woken again': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    const other = await scene.worker();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '1');
    await worker.expect('NOOP');
    assert.deepEqual(await other.drain(), ['1']);
    await worker.grabNothing();
    await worker.send('PRE_SLEEP').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '2');
    await worker.expect('NOOP');
  },

  'all sleeping workers of the function are woken': async (scene) => {
    const [client, one] = await sleepingPair(scene);
    const others = [await scene.worker(), await scene.worker()];
    for (const worker of others) await worker.send('PRE_SLEEP').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    for (const worker of [one, ...others]) await worker.expect('NOOP');
  },

  'workers of other functions are not woken': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    await client.submit('SUBMIT_JOB_BG', scene.name('g'), '', '');
    await worker.quiet();
  },

  'any of its functions wakes it': async (scene) => {
    const functions = ['f', 'g', 'h'].map((fn) => scene.name(fn));
    const client = await scene.peer();
    const worker = await scene.worker(...functions);
    for (const fn of functions) {
      await worker.send('PRE_SLEEP').quiet();
      await client.submit('SUBMIT_JOB_BG', fn, '', fn);
      await worker.expect('NOOP');
      assert.deepEqual(await worker.drain(), [fn]);
    }
  },

  'a function that it learns in its sleep wakes it from then on': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    const g = scene.name('g');
    await client.submit('SUBMIT_JOB_BG', g, '', '1');
    await worker.send('CAN_DO', g).quiet();
    await client.submit('SUBMIT_JOB_BG', g, '', '2');
    await worker.expect('NOOP');
    assert.deepEqual(await worker.drain(), ['1', '2']);
  },

  'a function that it gives up in its sleep does not wake it': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    await worker.send('CANT_DO', scene.fn).quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.quiet();
  },

  'a sleeping worker may do other things': async (scene) => {
    const [client, worker] = await sleepingPair(scene);
    const handle = await worker.submit('SUBMIT_JOB_BG', scene.name('g'), '', '');
    assert.equal(await worker.status(handle), '1 0 0 0');
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.expect('NOOP');
  },

  'it may sleep while a job of it runs': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('PRE_SLEEP').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.expect('NOOP');
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
  },
};
