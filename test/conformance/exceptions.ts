/** Exceptions, which only those are told of who asked for them. */
import assert from 'node:assert/strict';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

async function askFor(client: Peer, option = 'exceptions'): Promise<void> {
  await client.send('OPTION_REQ', option).expect('OPTION_RES', option);
}

/** A failure that stands for an exception. */
async function expectFailure(scene: Scene, client: Peer, handle: string): Promise<void> {
  const end = scene.differs('a failure may have a NUL behind the handle') ? '\0' : '';
  await client.expect('WORK_FAIL', handle + end);
}

const refused =
  (option: string): Run =>
  async (scene) => {
    const client = await scene.peer();
    client.send('OPTION_REQ', option);
    assert.equal(await client.expectError('UNKNOWN_OPTION'), 'Server does not recognize given option');
    await client.quiet();
  };

export const exceptions: Theme = {
  'who has asked is told': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await askFor(client);
    await worker.send('WORK_EXCEPTION', handle, 'why\0not').quiet();
    await client.expect('WORK_EXCEPTION', handle, 'why\0not');
    await client.quiet();
  },

  'who has not asked is told of a failure': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_EXCEPTION', handle, 'why').quiet();
    await expectFailure(scene, client, handle);
    await client.quiet();
  },

  'each hears what he asked for, once for each submission': async (scene) => {
    const { client, worker, handle } = await scene.running();
    const asking = await scene.peer();
    await askFor(asking);
    for (const each of [client, asking, asking]) await each.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await worker.send('WORK_EXCEPTION', handle, 'why').quiet();
    for (let i = 0; i < 2; i++) {
      await expectFailure(scene, client, handle);
      await asking.expect('WORK_EXCEPTION', handle, 'why');
    }
    await client.quiet();
    await asking.quiet();
  },

  'it ends the job: a failure behind it is of no job': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await askFor(client);
    worker.send('WORK_EXCEPTION', handle, '').send('WORK_FAIL', handle);
    assert.equal(await worker.expectError('JOB_NOT_FOUND'), 'Job given in work result not found');
    await client.expect('WORK_EXCEPTION', handle, '');
    await client.quiet();
    await scene.leave(worker);
    await (await scene.worker()).grabNothing();
  },

  'in the background it ends the job, and nobody is told': async (scene) => {
    const [client, worker] = await scene.pair();
    await askFor(client);
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.grab();
    await worker.send('WORK_EXCEPTION', handle, 'why').quiet();
    await client.quiet();
    assert.equal(await client.status(handle), '0 0 0 0');
  },

  'of a job that the worker does not have': async (scene) => {
    const worker = await scene.worker();
    worker.send('WORK_EXCEPTION', 'H:nobody:1', 'why');
    const text = await worker.expectError('JOB_NOT_FOUND');
    assert.equal(text, 'An exception was received for a job that does not exist');
    await worker.quiet();
  },

  'whether the worker has asked does not matter': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await askFor(worker);
    await worker.send('WORK_EXCEPTION', handle, 'why').quiet();
    await expectFailure(scene, client, handle);
  },

  'one may ask twice': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await askFor(client);
    await askFor(client);
    await worker.send('WORK_EXCEPTION', handle, 'why').quiet();
    await client.expect('WORK_EXCEPTION', handle, 'why');
    await client.quiet();
  },

  'the option may be written in any case, and comes back as it was': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await askFor(client, 'eXCEPTIONs');
    await worker.send('WORK_EXCEPTION', handle, 'why').quiet();
    await client.expect('WORK_EXCEPTION', handle, 'why');
  },

  'an option that there is not': refused('compression'),
  'an option that has no name': refused(''),
  'an option that begins like one': refused('exceptions please'),
  'an option of 64 bytes': refused('exceptions'.padEnd(64, 'x')),
};
