/** Functions whose jobs have so much time on a worker: CAN_DO_TIMEOUT. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

/** A worker that has so many milliseconds for each job. */
async function timedWorker(scene: Scene, ms: string, fn = scene.fn): Promise<Peer> {
  const worker = await scene.peer();
  await worker.send('CAN_DO_TIMEOUT', fn, ms).quiet();
  return worker;
}

async function sleeper(scene: Scene, fn = scene.fn): Promise<Peer> {
  const worker = await scene.worker(fn);
  await worker.send('PRE_SLEEP').quiet();
  return worker;
}

/** A job with normal priority stands in the queue: gearmand wakes workers for it before that. */
async function backInQueue(scene: Scene): Promise<void> {
  while ((await scene.lines('prioritystatus', `${scene.fn}\t0\t1\t0\t`)).length === 0);
}

/** Over a second goes by: a job of another function has just come back after its second. */
async function aSecond(scene: Scene): Promise<void> {
  const fn = scene.name(`clock-${randomUUID()}`);
  const [client, worker] = [await scene.peer(), await timedWorker(scene, '1000', fn)];
  await client.submit('SUBMIT_JOB_BG', fn, '', '');
  await worker.grab();
  await (await sleeper(scene, fn)).expect('NOOP');
}

const comesBack =
  (ms: string, leastMs: number): Run =>
  async (scene) => {
    const [client, worker] = [await scene.peer(), await timedWorker(scene, ms)];
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, 'w');
    const start = performance.now();
    await worker.grab();
    const other = await sleeper(scene);
    assert.equal(await client.status(handle), '1 1 0 0');
    await other.expect('NOOP');
    const took = performance.now() - start;
    await backInQueue(scene);
    assert.ok(took > leastMs - 20 && took < leastMs + 2000, `it came back after ${took.toFixed()} ms`);
    await worker.quiet();
    assert.equal(await client.status(handle), '1 0 0 0');
    worker.send('WORK_COMPLETE', handle, 'late');
    await worker.expectError('JOB_NOT_FOUND');
    await client.quiet();
    assert.deepEqual(await other.drain(), ['w']);
    await client.expect('WORK_COMPLETE', handle, '');
    await client.quiet();
  };

const staysFor =
  (ms: string): Run =>
  async (scene) => {
    const [client, worker] = [await scene.peer(), await timedWorker(scene, ms)];
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    await worker.grab();
    await aSecond(scene);
    assert.equal(await client.status(handle), '1 1 0 0');
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
  };

export const timeouts: Theme = {
  'a job comes back when its time is over, and its worker is not told': comesBack('1200', 1200),
  'less than a second is a second': comesBack('1', 1000),
  'what is behind the number does not matter': comesBack('1100 ms', 1100),
  '0 is for ever': staysFor('0'),
  'a negative time is for ever': staysFor('-1000'),
  'what is no number is for ever': staysFor('soon'),
  'nothing is for ever': staysFor(''),
  'it may be long': staysFor('3600000'),
  'it may have 20 digits': staysFor('00000000000000005000'),

  'it may not have 21': async (scene) => {
    const worker = await scene.peer();
    worker.send('CAN_DO_TIMEOUT', scene.fn, '000000000000000005000');
    if (scene.differs('what it cannot use is not answered')) await worker.ignored();
    else await worker.closed();
  },

  'more than any number can say is for ever': async (scene) => {
    if (scene.differs('a timeout above 9223372036854775807 kills it')) return;
    await staysFor('99999999999999999999')(scene);
  },

  'a function with a time is like any other': async (scene) => {
    const [client, worker] = [await scene.peer(), await timedWorker(scene, '5000')];
    assert.equal(await scene.counts(), '0 0 1');
    await worker.send('PRE_SLEEP').quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'w');
    await worker.expect('NOOP');
    assert.deepEqual(await worker.drain(), ['w']);
    await worker.send('CANT_DO', scene.fn).quiet();
    assert.equal(await scene.counts(), '0 0 0');
  },

  'the last word of a worker counts': async (scene) => {
    const [client, worker] = [await scene.peer(), await timedWorker(scene, '1000')];
    await worker.send('CAN_DO', scene.fn).quiet();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.grab();
    await aSecond(scene);
    assert.equal(await client.status(handle), '1 1 0 0');
  },

  'a worker that sends updates gets no more time': async (scene) => {
    const [client, worker] = [await scene.peer(), await timedWorker(scene, '1000')];
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.grab();
    const other = await sleeper(scene);
    await worker.send('WORK_STATUS', handle, '1', '2').quiet();
    await other.expect('NOOP');
    await backInQueue(scene);
    assert.equal(await client.status(handle), '1 0 0 0');
  },

  'with job retries, running out of time counts': async (scene) => {
    const limited = scene.with({ jobRetries: 1 });
    const [client, worker] = [await limited.peer(), await timedWorker(limited, '1000')];
    const handle = await client.submit('SUBMIT_JOB', limited.fn, '', '');
    await worker.grab();
    await client.expect('WORK_FAIL', handle);
    // A timer of gearmand has a thread of its own, which goes on while others are asked.
    while ((await client.status(handle)) !== '0 0 0 0');
  },

  'who let it run out of time may take it again': async (scene) => {
    const [client, worker] = [await scene.peer(), await timedWorker(scene, '1000')];
    const handle = await client.submit('SUBMIT_JOB', scene.fn, '', '');
    await worker.grab();
    await (await sleeper(scene)).expect('NOOP');
    await backInQueue(scene);
    assert.equal((await worker.grab()).handle, handle);
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
  },

  'the time of a job that has ended harms no later one': async (scene) => {
    // Its timer would go off for memory that was given back.
    if (scene.differs('the timer of a job outlives it')) return;
    const [client, worker] = [await scene.peer(), await timedWorker(scene, '1000')];
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '1');
    const { handle: first } = await worker.grab();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, '', '2');
    await aSecond(scene);
    assert.equal(await client.status(first), '1 0 0 0');
    assert.deepEqual(await worker.drain(), ['2', '1']);
    await client.expect('WORK_COMPLETE', handle, '');
    await aSecond(scene);
    await client.quiet();
    assert.equal(await scene.counts(), '0 0 1');
  },

  'each of several jobs has its time': async (scene) => {
    const [client, worker] = [await scene.peer(), await timedWorker(scene, '1000')];
    const handles: string[] = [];
    for (let i = 0; i < 2; i++) handles.push(await client.submit('SUBMIT_JOB_BG', scene.fn, '', ''));
    for (const handle of handles) assert.equal((await worker.grab()).handle, handle);
    await aSecond(scene);
    const [first, second] = [await client.status(handles[0] ?? ''), await client.status(handles[1] ?? '')];
    assert.equal(first, '1 0 0 0');
    assert.equal(second, scene.differs('one timer for a connection') ? '1 1 0 0' : '1 0 0 0');
  },

  'it goes on while the worker sleeps': async (scene) => {
    const [client, worker] = [await scene.peer(), await timedWorker(scene, '1000')];
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.grab();
    await worker.send('PRE_SLEEP').quiet();
    await aSecond(scene);
    if (scene.differs('sleep stops the timer')) {
      assert.equal(await client.status(handle), '1 1 0 0');
      return;
    }
    await worker.expect('NOOP');
    assert.equal(await client.status(handle), '1 0 0 0');
  },
};
