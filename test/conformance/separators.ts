/** The NULs between arguments, where some are missing, or stand behind the last argument as C programs send it. */
import assert from 'node:assert/strict';
import { numberOf, type Type } from './packets.js';
import type { Run, Theme } from './scene.js';

/** Packets that end before their last argument has begun. */
const INCOMPLETE: readonly (readonly [Type, string])[] = [
  ['SUBMIT_JOB', ''],
  ['SUBMIT_JOB_BG', 'f'],
  ['SUBMIT_JOB_HIGH', 'f\0u'],
  ['SUBMIT_JOB_EPOCH', 'f\0u\x001'],
  ['SUBMIT_REDUCE_JOB', 'f\0u\0r'],
  ['WORK_COMPLETE', 'H:nobody:1'],
];

const incomplete =
  (type: Type, body: string): Run =>
  async (scene) => {
    const peer = await scene.peer();
    // gearmand looks for the rest in what comes next.
    await peer.sendNumber(numberOf(type), body).send('ECHO_REQ', 'next').closed();
  };

export const separators: Theme = {
  ...Object.fromEntries(
    INCOMPLETE.map(([type, body]) => [
      `${type} with ${JSON.stringify(body)} ends the connection`,
      incomplete(type, body),
    ]),
  ),

  'a handle that ends with a NUL, in GET_STATUS': async (scene) => {
    const { client, handle } = await scene.running();
    await client.send('GET_STATUS', `${handle}\0`).expect('STATUS_RES', handle, '1', '1', '0', '0');
  },

  'a unique ID that ends with a NUL, in GET_STATUS_UNIQUE': async (scene) => {
    const { client } = await scene.running();
    await client
      .send('GET_STATUS_UNIQUE', `${scene.unique}\0`)
      .expect('STATUS_RES_UNIQUE', scene.unique, '1', '1', '0', '0', '1');
  },

  'a handle that ends with a NUL, in WORK_FAIL': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_FAIL', `${handle}\0`).quiet();
    const end = scene.differs('a failure may have a NUL behind the handle') ? '\0' : '';
    await client.expect('WORK_FAIL', handle + end);
    assert.equal(await client.status(handle), '0 0 0 0');
  },

  'a denominator that ends with a NUL': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_STATUS', handle, '1', '2\0').quiet();
    await client.next();
    assert.equal(await client.status(handle), '1 1 1 2');
  },

  'an option that ends with a NUL': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await client.send('OPTION_REQ', 'exceptions\0').expect('OPTION_RES', 'exceptions\0');
    await worker.send('WORK_EXCEPTION', handle, 'why').quiet();
    await client.expect('WORK_EXCEPTION', handle, 'why');
  },

  'a timeout that ends with a NUL': async (scene) => {
    const [client, worker] = [await scene.peer(), await scene.peer()];
    await worker.send('CAN_DO_TIMEOUT', scene.fn, '5000\0').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'w');
    assert.deepEqual(await worker.drain(), ['w']);
  },

  'a function that ends with a NUL is another one': async (scene) => {
    const [client, worker] = [await scene.peer(), await scene.worker(`${scene.fn}\0`)];
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'w');
    await worker.grabNothing();
  },
};
