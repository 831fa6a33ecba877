/** Queues of limited length: the text command maxqueue. */
import assert from 'node:assert/strict';
import type { Type } from './packets.js';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

/** A client, the function being there and limited so. */
async function limited(scene: Scene, limits: string): Promise<Peer> {
  const client = await scene.peer();
  await client.say(`create function ${scene.fn}`).expect('TEXT', 'OK\r\n');
  await client.say(`maxqueue ${scene.fn} ${limits}`.trimEnd()).expect('TEXT', 'OK\r\n');
  return client;
}

async function assertFull(client: Peer, type: Type, fn: string): Promise<void> {
  client.send(type, fn, '', '');
  assert.equal(await client.expectError('QUEUE_ERROR'), 'Job queue is full');
}

const unlimited =
  (limits: string): Run =>
  async (scene) => {
    const client = await limited(scene, limits);
    for (let i = 0; i < 3; i++) await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
  };

export const queues: Theme = {
  'one number is for all priorities, whose jobs count together': async (scene) => {
    const client = await limited(scene, '2');
    await client.submit('SUBMIT_JOB', scene.fn, '', '');
    await client.submit('SUBMIT_JOB_LOW_BG', scene.fn, '', '');
    for (const type of ['SUBMIT_JOB', 'SUBMIT_JOB_BG', 'SUBMIT_JOB_HIGH', 'SUBMIT_JOB_LOW_BG'] as const) {
      await assertFull(client, type, scene.fn);
    }
    await client.quiet();
    assert.equal(await scene.counts(), '2 0 0');
  },

  'three numbers are for high, normal and low, against the jobs of all': async (scene) => {
    const client = await limited(scene, '3 2 1');
    await client.submit('SUBMIT_JOB_HIGH_BG', scene.fn, '', '');
    await assertFull(client, 'SUBMIT_JOB_LOW_BG', scene.fn);
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await assertFull(client, 'SUBMIT_JOB_BG', scene.fn);
    await client.submit('SUBMIT_JOB_HIGH_BG', scene.fn, '', '');
    await assertFull(client, 'SUBMIT_JOB_HIGH_BG', scene.fn);
  },

  'of two numbers, the third is none': async (scene) => {
    const client = await limited(scene, '1 1');
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await assertFull(client, 'SUBMIT_JOB_HIGH', scene.fn);
    await client.submit('SUBMIT_JOB_LOW_BG', scene.fn, '', '');
  },

  'running jobs count, ended ones do not': async (scene) => {
    const client = await limited(scene, '1');
    const worker = await scene.worker();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.grab();
    await assertFull(client, 'SUBMIT_JOB_BG', scene.fn);
    await worker.send('WORK_COMPLETE', handle, '').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
  },

  'jobs that are to be reduced or have a time count': async (scene) => {
    const client = await limited(scene, '1');
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', '4000000000', '');
    client.send('SUBMIT_REDUCE_JOB', scene.fn, '', 'sum', '0', '');
    await client.expectError('QUEUE_ERROR');
    client.send('SUBMIT_JOB_EPOCH', scene.fn, '', '1', '');
    await client.expectError('QUEUE_ERROR');
  },

  'a job that goes back to the queue is never too much': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await client.say(`maxqueue ${scene.fn} 1`).expect('TEXT', 'OK\r\n');
    await scene.leave(worker);
    assert.equal(await client.status(handle), '1 0 0 0');
    assert.equal((await (await scene.worker()).drain()).length, 2);
  },

  '0 is no limit': unlimited('0'),
  'a negative number is no limit': unlimited('-1'),
  'what is no number is no limit': unlimited('few'),

  'no number takes the limit away': async (scene) => {
    const client = await limited(scene, '1');
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await client.say(`maxqueue ${scene.fn}`).expect('TEXT', 'OK\r\n');
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
  },

  'a function that there is not is not limited, now or later': async (scene) => {
    const client = await scene.peer();
    await client.say(`maxqueue ${scene.fn} 1`).expect('TEXT', 'OK\r\n');
    assert.deepEqual(await scene.lines('status'), []);
    for (let i = 0; i < 2; i++) await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
  },
};
