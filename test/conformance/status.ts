/** How a job is, by its handle and by its unique ID. */
import assert from 'node:assert/strict';
import type { Run, Theme } from './scene.js';

/** What a worker reports as numerator and denominator, and how it reads afterwards. */
const PROGRESS: readonly (readonly [string, string, string])[] = [
  ['1', '2', '1 2'],
  ['0', '0', '0 0'],
  ['50.5', '100', '50 100'],
  ['7 of', '9 steps', '7 9'],
  [' 7', '+9', '7 9'],
  ['half', '', '0 0'],
  ['-1', '-2', '4294967295 4294967294'],
  ['2147483647', '2147483647', '2147483647 2147483647'],
  ['007', '010', '7 10'],
  ['0x10', '1e3', '0 1'],
];

const reads =
  ([numerator, denominator, expected]: (typeof PROGRESS)[number]): Run =>
  async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_STATUS', handle, numerator, denominator).quiet();
    await client.expect('WORK_STATUS', handle, numerator, denominator);
    assert.equal(await client.status(handle), `1 1 ${expected}`);
    assert.equal(await client.statusByUnique(scene.unique), `1 1 ${expected} 1`);
  };

const unknown =
  (handle: string): Run =>
  async (scene) => {
    const peer = await scene.peer();
    assert.equal(await peer.status(handle), '0 0 0 0');
  };

export const status: Theme = {
  ...Object.fromEntries(
    PROGRESS.map((each) => [
      `progress "${each[0]}" of "${each[1]}" reads ${each[2]}, and is passed on as it is`,
      reads(each),
    ]),
  ),

  'a denominator of 12 bytes is passed on': async (scene) => {
    const { client, worker, handle } = await scene.running();
    worker.send('WORK_STATUS', handle, '1', '000000000002');
    if (scene.differs('what it cannot use is not answered')) {
      await worker.ignored();
      await client.quiet();
      return;
    }
    await worker.quiet();
    await client.expect('WORK_STATUS', handle, '1', '000000000002');
    assert.equal(await client.status(handle), '1 1 1 2');
  },

  'a handle that never was is unknown': unknown('H:nobody:1'),
  'what is no handle is unknown': unknown('no handle'),
  'an empty handle is unknown': unknown(''),
  'a handle of 63 bytes is answered': unknown(`H:${'x'.repeat(61)}`),

  'a queued job is known and does not run; a running one runs; one that has ended is unknown': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    assert.equal(await client.status(handle), '1 0 0 0');
    await worker.grab();
    assert.equal(await client.status(handle), '1 1 0 0');
    await worker.send('WORK_COMPLETE', handle, '').quiet();
    assert.equal(await client.status(handle), '0 0 0 0');
  },

  'one that has failed is unknown': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_FAIL', handle).quiet();
    await client.expect('WORK_FAIL', handle);
    assert.equal(await client.status(handle), '0 0 0 0');
  },

  'one that has ended with an exception is unknown': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_EXCEPTION', handle, 'why').quiet();
    await client.next();
    assert.equal(await client.status(handle), '0 0 0 0');
  },

  'anybody may ask': async (scene) => {
    const { worker, handle } = await scene.running();
    assert.equal(await (await scene.peer()).status(handle), '1 1 0 0');
    assert.equal(await worker.status(handle), '1 1 0 0');
  },

  'the latest progress counts': async (scene) => {
    const { client, worker, handle } = await scene.running();
    for (const step of ['1', '2', '1']) worker.send('WORK_STATUS', handle, step, '3');
    await worker.quiet();
    for (const step of ['1', '2', '1']) await client.expect('WORK_STATUS', handle, step, '3');
    assert.equal(await client.status(handle), '1 1 1 3');
  },

  'progress is forgotten when the job goes back to the queue': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_STATUS', handle, '1', '2').quiet();
    await client.expect('WORK_STATUS', handle, '1', '2');
    await scene.leave(worker);
    assert.equal(await client.status(handle), '1 0 0 0');
    assert.equal(await client.statusByUnique(scene.unique), '1 0 0 0 1');
  },

  'WORK_DATA and WORK_WARNING are no progress': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_DATA', handle, '1').send('WORK_WARNING', handle, '2').quiet();
    await client.next();
    await client.next();
    assert.equal(await client.status(handle), '1 1 0 0');
  },

  'by a unique ID that never was: unknown': async (scene) => {
    assert.equal(await (await scene.peer()).statusByUnique(scene.unique), '0 0 0 0 0');
  },

  'by the empty unique ID: unknown': async (scene) => {
    const client = await scene.peer();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    assert.equal(await client.statusByUnique(''), '0 0 0 0 0');
  },

  'by the unique ID -: unknown': async (scene) => {
    const client = await scene.peer();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '-', scene.name('w'));
    assert.equal(await client.statusByUnique('-'), '0 0 0 0 0');
  },

  'by unique ID: nobody waits for a job in the background': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    assert.equal(await client.statusByUnique(scene.unique), '1 0 0 0 0');
    await worker.grab();
    assert.equal(await client.statusByUnique(scene.unique), '1 1 0 0 0');
    await worker.send('WORK_COMPLETE', handle, '').quiet();
    assert.equal(await client.statusByUnique(scene.unique), '0 0 0 0 0');
  },

  'by unique ID: each submission in the foreground waits, also of one connection': async (scene) => {
    const [one, other] = [await scene.peer(), await scene.peer()];
    const submit = (client: typeof one): Promise<string> => client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await submit(one);
    await submit(one);
    assert.equal(await one.statusByUnique(scene.unique), '1 0 0 0 2');
    await submit(other);
    await other.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    assert.equal(await one.statusByUnique(scene.unique), '1 0 0 0 3');
    await scene.leave(one);
    assert.equal(await other.statusByUnique(scene.unique), '1 0 0 0 1');
  },

  'by unique ID: while the job runs, those that leave are not counted': async (scene) => {
    const { client, handle } = await scene.running();
    const other = await scene.peer();
    assert.equal(await other.submit('SUBMIT_JOB', scene.fn, scene.unique, ''), handle);
    assert.equal(await other.statusByUnique(scene.unique), '1 1 0 0 2');
    await scene.leave(client);
    assert.equal(await other.statusByUnique(scene.unique), '1 1 0 0 1');
  },

  'by unique ID: of whatever function': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    await client.submit('SUBMIT_JOB', scene.name('g'), scene.unique, '');
    const worker = await scene.worker();
    assert.equal((await worker.grab()).handle, handle);
    const answer = await client.statusByUnique(scene.unique);
    assert.ok(['1 1 0 0 0', '1 0 0 0 1'].includes(answer), answer);
  },

  'by a unique ID of 63 bytes': async (scene) => {
    const client = await scene.peer();
    const unique = scene.unique.padEnd(63, 'x');
    await client.submit('SUBMIT_JOB', scene.fn, unique, '');
    assert.equal(await client.statusByUnique(unique), '1 0 0 0 1');
  },

  'by unique ID: a job of later is known': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, '4000000000', '');
    assert.equal(await client.statusByUnique(scene.unique), '1 0 0 0 0');
    assert.equal(await client.status(handle), '1 0 0 0');
  },
};
