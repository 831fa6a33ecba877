/** Only who runs a job may speak for it. */
import assert from 'node:assert/strict';
import type { Type } from './packets.js';
import type { Run, Theme } from './scene.js';

const NOT_FOUND = 'Job given in work result not found';
const SAYINGS: readonly (readonly [Type, string, ...string[]])[] = [
  ['WORK_DATA', 'Job does not exist on server', ''],
  ['WORK_WARNING', 'Job does not exist on server', ''],
  ['WORK_STATUS', NOT_FOUND, '1', '2'],
  ['WORK_COMPLETE', NOT_FOUND, ''],
  ['WORK_FAIL', NOT_FOUND],
  ['WORK_EXCEPTION', 'An exception was received for a job that does not exist', ''],
];

const foreign =
  ([type, text, ...args]: (typeof SAYINGS)[number]): Run =>
  async (scene) => {
    const { client, worker, handle } = await scene.running();
    const other = await scene.worker();
    other.send(type, handle, ...args);
    assert.equal(await other.expectError('JOB_NOT_FOUND'), text);
    await other.quiet();
    client.send(type, handle, ...args);
    assert.equal(await client.expectError('JOB_NOT_FOUND'), text);
    assert.equal(await client.status(handle), '1 1 0 0');
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
  };

const late =
  ([type, text, ...args]: (typeof SAYINGS)[number]): Run =>
  async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    worker.send(type, handle, ...args);
    assert.equal(await worker.expectError('JOB_NOT_FOUND'), text);
    await worker.quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
    await client.quiet();
  };

export const ownership: Theme = {
  ...Object.fromEntries(SAYINGS.map((each) => [`${each[0]} for somebody else's job`, foreign(each)])),
  ...Object.fromEntries(SAYINGS.map((each) => [`${each[0]} for a job that has ended`, late(each)])),

  'for a queued job': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, '', 'w');
    worker.send('WORK_COMPLETE', handle, 'r');
    assert.equal(await worker.expectError('JOB_NOT_FOUND'), NOT_FOUND);
    await client.quiet();
    assert.deepEqual(await worker.drain(), ['w']);
  },

  'for a job that went to another worker': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('CANT_DO', scene.fn).quiet();
    const next = await scene.worker();
    assert.equal((await next.grab()).handle, handle);
    worker.send('WORK_COMPLETE', handle, 'old');
    assert.equal(await worker.expectError('JOB_NOT_FOUND'), NOT_FOUND);
    await next.send('WORK_COMPLETE', handle, 'new').quiet();
    await client.expect('WORK_COMPLETE', handle, 'new');
    await client.quiet();
  },

  'for what is no handle': async (scene) => {
    const worker = await scene.worker();
    for (const handle of ['', 'x', 'H:nobody:1', 'H:nobody:x']) {
      worker.send('WORK_COMPLETE', handle, 'r');
      assert.equal(await worker.expectError('JOB_NOT_FOUND'), NOT_FOUND);
    }
    await worker.quiet();
  },

  'for a handle that is written otherwise': async (scene) => {
    const { client, worker, handle } = await scene.running();
    for (const other of [`${handle}0`, handle.toLowerCase(), handle.replace(/\d+$/, (number) => `0${number}`)]) {
      worker.send('WORK_COMPLETE', other, 'r');
      assert.equal(await worker.expectError('JOB_NOT_FOUND'), NOT_FOUND);
    }
    await client.quiet();
  },

  'an error does not keep a worker from its own jobs': async (scene) => {
    const { client, worker, handle } = await scene.running();
    worker.send('WORK_FAIL', 'H:nobody:1').send('WORK_COMPLETE', handle, 'r');
    assert.equal(await worker.expectError('JOB_NOT_FOUND'), NOT_FOUND);
    await worker.quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
  },
};
