/** Submissions that are one job, being of one function and one unique ID while that is queued or runs. */
import assert from 'node:assert/strict';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

type Submit = (client: Peer, scene: Scene, workload: string) => Promise<string>;

const MANNERS: Readonly<Record<string, Submit>> = {
  'in the foreground': (client, { fn, unique }, workload) => client.submit('SUBMIT_JOB', fn, unique, workload),
  'in the background': (client, { fn, unique }, workload) => client.submit('SUBMIT_JOB_BG', fn, unique, workload),
  'for a time': (client, { fn, unique }, workload) => client.submit('SUBMIT_JOB_EPOCH', fn, unique, '1', workload),
  'to be reduced': (client, { fn, unique }, workload) =>
    client.submit('SUBMIT_REDUCE_JOB', fn, unique, 'sum', '0', workload),
  'with high priority': (client, { fn, unique }, workload) => client.submit('SUBMIT_JOB_HIGH', fn, unique, workload),
  'with low priority in the background': (client, { fn, unique }, workload) =>
    client.submit('SUBMIT_JOB_LOW_BG', fn, unique, workload),
};

const manners = Object.entries(MANNERS);

const together =
  (first: Submit, second: Submit): Run =>
  async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await first(client, scene, 'first');
    assert.equal(await second(client, scene, 'second'), handle);
    assert.equal((await worker.grab()).workload, 'first');
    await worker.grabNothing();
  };

const anew =
  (end: (worker: Peer, handle: string) => void): Run =>
  async (scene) => {
    const { client, worker, handle } = await scene.running();
    end(worker, handle);
    await worker.quiet();
    await client.next();
    const next = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, 'next');
    assert.notEqual(next, handle);
    assert.deepEqual(await worker.drain(), ['next']);
  };

export const coalescing: Theme = {
  ...Object.fromEntries(
    manners.flatMap(([one, first]) =>
      manners.map(([other, second]) => [`one submitted ${one}, then ${other}`, together(first, second)]),
    ),
  ),

  'over connections': async (scene) => {
    const [one, other] = [await scene.peer(), await scene.peer()];
    const handle = await one.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    assert.equal(await other.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, ''), handle);
  },

  'while it runs': async (scene) => {
    const { client, worker, handle } = await scene.running();
    assert.equal(await client.submit('SUBMIT_JOB', scene.fn, scene.unique, 'other'), handle);
    await worker.grabNothing();
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
    await client.expect('WORK_COMPLETE', handle, 'r');
    await client.quiet();
  },

  'after its worker was lost': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await scene.leave(worker);
    assert.equal(await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, 'other'), handle);
  },

  'the later priority is discarded': async (scene) => {
    const [client, worker] = await scene.pair();
    const { fn, unique } = scene;
    await client.submit('SUBMIT_JOB_LOW_BG', fn, unique, 'low');
    await client.submit('SUBMIT_JOB_BG', fn, scene.name('normal'), 'normal');
    await client.submit('SUBMIT_JOB_HIGH_BG', fn, unique, 'high');
    assert.deepEqual(await worker.drain(), ['normal', 'low']);
  },

  'the later epoch is discarded': async (scene) => {
    const [client, worker] = await scene.pair();
    const { fn, unique } = scene;
    await client.submit('SUBMIT_JOB_BG', fn, unique, 'now');
    await client.submit('SUBMIT_JOB_EPOCH', fn, unique, '4000000000', 'later');
    assert.deepEqual(await worker.drain(), ['now']);
  },

  'with one that is to run later it waits': async (scene) => {
    const [client, worker] = await scene.pair();
    const { fn, unique } = scene;
    const handle = await client.submit('SUBMIT_JOB_EPOCH', fn, unique, '4000000000', 'later');
    assert.equal(await client.submit('SUBMIT_JOB', fn, unique, 'now'), handle);
    await worker.grabNothing();
  },

  'not when it has ended': anew((worker, handle) => worker.send('WORK_COMPLETE', handle, '')),
  'not when it has failed': anew((worker, handle) => worker.send('WORK_FAIL', handle)),
  'not when it has ended with an exception': anew((worker, handle) => worker.send('WORK_EXCEPTION', handle, '')),

  'not with another function': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.name('g'), scene.unique, ''), handle);
  },

  'not without a unique ID': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'w');
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'w'), handle);
    assert.deepEqual(await worker.drain(), ['w', 'w']);
  },

  'upper and lower case differ': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.name('a'), '');
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, scene.name('A'), ''), handle);
  },

  'the beginning of a unique ID is another one': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique.slice(0, -1), ''), handle);
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, `${scene.unique}1`, ''), handle);
  },

  '- compares workloads': async (scene) => {
    const [client, worker] = await scene.pair();
    const [one, two] = [scene.name('one'), scene.name('two')];
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '-', one);
    assert.equal(await client.submit('SUBMIT_JOB', scene.fn, '-', one), handle);
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, '-', two), handle);
    assert.deepEqual(await worker.drain(), [one, two]);
  },

  '- compares workloads to the last byte': async (scene) => {
    const client = await scene.peer();
    const workload = scene.name('\0'.repeat(10_000));
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '-', `${workload}\0`);
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, '-', `${workload}\x01`), handle);
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, '-', workload), handle);
    assert.equal(await client.submit('SUBMIT_JOB_BG', scene.fn, '-', `${workload}\0`), handle);
  },

  '- is not a unique ID: the worker is told the dash': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '-', scene.name('w'));
    assert.equal((await worker.grab()).unique, '-');
  },

  '- while the job runs': async (scene) => {
    const [client, worker] = await scene.pair();
    const workload = scene.name('w');
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '-', workload);
    await worker.grab();
    assert.equal(await client.submit('SUBMIT_JOB_BG', scene.fn, '-', workload), handle);
    await worker.send('WORK_COMPLETE', handle, '').quiet();
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, '-', workload), handle);
  },

  '- compares no empty workloads': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '-', '');
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.fn, '-', ''), handle);
  },

  '- not with another function': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '-', scene.name('w'));
    assert.notEqual(await client.submit('SUBMIT_JOB_BG', scene.name('g'), '-', scene.name('w')), handle);
  },

  '# is a unique ID like any other': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, '#', 'one');
    assert.equal(await client.submit('SUBMIT_JOB_BG', scene.fn, '#', 'two'), handle);
    assert.deepEqual(await worker.drain(), ['one']);
  },

  'also where the queue is full': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    await client.say(`maxqueue ${scene.fn} 1`).expect('TEXT', 'OK\r\n');
    assert.equal(await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, ''), handle);
    client.send('SUBMIT_JOB_BG', scene.fn, scene.name('v'), '');
    assert.equal(await client.expectError('QUEUE_ERROR'), 'Job queue is full');
  },
};
