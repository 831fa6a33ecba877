/** Jobs that are to be reduced, and the three ways of asking for a job. */
import assert from 'node:assert/strict';
import type { Type } from './packets.js';
import type { Run, Scene, Theme } from './scene.js';

const GRABS = ['GRAB_JOB', 'GRAB_JOB_UNIQ', 'GRAB_JOB_ALL'] as const;

/** What comes for a job, with or without a reducer, by what is asked for. */
const expected = (grab: Type, { fn, unique }: Scene, handle: string, reducer: string): [Type, ...string[]] => {
  if (grab === 'GRAB_JOB') return ['JOB_ASSIGN', handle, fn, 'w\0w'];
  if (grab === 'GRAB_JOB_ALL' && reducer !== '') return ['JOB_ASSIGN_ALL', handle, fn, unique, reducer, 'w\0w'];
  return ['JOB_ASSIGN_UNIQ', handle, fn, unique, 'w\0w'];
};

const assigned =
  (grab: Type, reducer: string | undefined): Run =>
  async (scene) => {
    const [client, worker] = await scene.pair();
    const handle =
      reducer === undefined
        ? await client.submit('SUBMIT_JOB', scene.fn, scene.unique, 'w\0w')
        : await client.submit('SUBMIT_REDUCE_JOB', scene.fn, scene.unique, reducer, '0', 'w\0w');
    await worker.send(grab).expect(...expected(grab, scene, handle, reducer ?? ''));
    await worker.send(grab).expect('NO_JOB');
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
  };

export const reducing: Theme = {
  ...Object.fromEntries(GRABS.map((grab) => [`${grab} and a job without a reducer`, assigned(grab, undefined)])),
  ...Object.fromEntries(GRABS.map((grab) => [`${grab} and a job with a reducer`, assigned(grab, 'sum')])),
  ...Object.fromEntries(GRABS.map((grab) => [`${grab} and a job with an empty reducer`, assigned(grab, '')])),

  'SUBMIT_REDUCE_JOB_BACKGROUND keeps the reducer': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_REDUCE_JOB_BACKGROUND', scene.fn, scene.unique, 'sum', '0', 'w');
    await worker.send('GRAB_JOB_ALL').expect('JOB_ASSIGN_ALL', handle, scene.fn, scene.unique, 'sum', 'w');
  },

  'a reducer of 63 bytes': async (scene) => {
    const [client, worker] = await scene.pair();
    const reducer = 'sum'.padEnd(63, 'x');
    const handle = await client.submit('SUBMIT_REDUCE_JOB', scene.fn, scene.unique, reducer, '0', 'w');
    await worker.send('GRAB_JOB_ALL').expect('JOB_ASSIGN_ALL', handle, scene.fn, scene.unique, reducer, 'w');
  },

  'a reducer of 65 bytes is refused': async (scene) => {
    const client = await scene.peer();
    client.send('SUBMIT_REDUCE_JOB', scene.fn, scene.unique, 'sum'.padEnd(65, 'x'), '0', 'w');
    assert.equal(await client.expectError('ARGUMENT_TOO_LARGE'), 'Unique value too large');
    await client.quiet();
  },

  'the reducer of the first submission counts': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_REDUCE_JOB', scene.fn, scene.unique, 'sum', '0', 'w');
    assert.equal(await client.submit('SUBMIT_REDUCE_JOB', scene.fn, scene.unique, 'max', '0', 'w'), handle);
    await worker.send('GRAB_JOB_ALL').expect('JOB_ASSIGN_ALL', handle, scene.fn, scene.unique, 'sum', 'w');
  },

  'it goes back to the queue with its reducer': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_REDUCE_JOB', scene.fn, scene.unique, 'sum', '0', 'w');
    await worker.grab();
    await scene.leave(worker);
    const next = await scene.worker();
    await next.send('GRAB_JOB_ALL').expect('JOB_ASSIGN_ALL', handle, scene.fn, scene.unique, 'sum', 'w');
  },
};
