/** What a job's worker says is told to all who wait for it, once for each submission. */
import assert from 'node:assert/strict';
import type { Type } from './packets.js';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

const SAYINGS: readonly (readonly [Type, ...string[]])[] = [
  ['WORK_DATA', 'a\0b'],
  ['WORK_WARNING', 'w\0\0'],
  ['WORK_STATUS', '1', '2'],
  ['WORK_COMPLETE', 'r\0'],
  ['WORK_FAIL'],
];

/** Submits a job in the foreground so many times. */
async function submit(client: Peer, scene: Scene, times: number): Promise<string> {
  const handles = new Set<string>();
  for (let i = 0; i < times; i++) handles.add(await client.submit('SUBMIT_JOB', scene.fn, scene.unique, ''));
  assert.equal(handles.size, 1);
  return [...handles][0] ?? '';
}

async function told(client: Peer, times: number, type: Type, ...args: string[]): Promise<void> {
  for (let i = 0; i < times; i++) await client.expect(type, ...args);
  await client.quiet();
}

const toEach =
  ([type, ...args]: (typeof SAYINGS)[number]): Run =>
  async (scene) => {
    const [one, worker] = await scene.pair();
    const [other, background] = [await scene.peer(), await scene.peer()];
    const handle = await submit(one, scene, 3);
    await submit(other, scene, 1);
    await background.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    await worker.grab();
    await worker.send(type, handle, ...args).quiet();
    await told(one, 3, type, handle, ...args);
    await told(other, 1, type, handle, ...args);
    await background.quiet();
  };

export const results: Theme = {
  ...Object.fromEntries(
    SAYINGS.map((each) => [`${each[0]} comes once for each submission, on each connection`, toEach(each)]),
  ),

  'updates and the end come in order': async (scene) => {
    const { client, worker, handle } = await scene.running();
    worker.send('WORK_STATUS', handle, '0', '2').send('WORK_DATA', handle, '1').send('WORK_WARNING', handle, '2');
    worker.send('WORK_DATA', handle, '').send('WORK_STATUS', handle, '2', '2').send('WORK_COMPLETE', handle, '');
    await worker.quiet();
    await client.expect('WORK_STATUS', handle, '0', '2');
    await client.expect('WORK_DATA', handle, '1');
    await client.expect('WORK_WARNING', handle, '2');
    await client.expect('WORK_DATA', handle, '');
    await client.expect('WORK_STATUS', handle, '2', '2');
    await client.expect('WORK_COMPLETE', handle, '');
    await client.quiet();
  },

  'who comes late is told what comes later': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await worker.send('WORK_DATA', handle, '1').send('WORK_STATUS', handle, '1', '2').quiet();
    const late = await scene.peer();
    assert.equal(await submit(late, scene, 1), handle);
    await late.quiet();
    await worker.send('WORK_DATA', handle, '2').send('WORK_COMPLETE', handle, '3').quiet();
    await client.expect('WORK_DATA', handle, '1');
    await client.expect('WORK_STATUS', handle, '1', '2');
    for (const each of [client, late]) {
      await each.expect('WORK_DATA', handle, '2');
      await told(each, 1, 'WORK_COMPLETE', handle, '3');
    }
  },

  'a job in the background that somebody joins is told to him alone': async (scene) => {
    const [background, worker] = await scene.pair();
    const handle = await background.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    const joining = await scene.peer();
    assert.equal(await submit(joining, scene, 1), handle);
    await worker.grab();
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await told(joining, 1, 'WORK_COMPLETE', handle, 'r');
    await background.quiet();
  },

  'nothing is said to who asks for the status': async (scene) => {
    const { worker, handle } = await scene.running();
    const watcher = await scene.peer();
    await watcher.status(handle);
    await worker.send('WORK_COMPLETE', handle, '').quiet();
    await watcher.quiet();
  },

  'two jobs of one client do not mix': async (scene) => {
    const [client, worker] = await scene.pair();
    const handles = [
      await client.submit('SUBMIT_JOB', scene.fn, '', '1'),
      await client.submit('SUBMIT_JOB', scene.fn, '', '2'),
    ];
    const [first = '', second = ''] = handles;
    for (const handle of handles) assert.equal((await worker.grab()).handle, handle);
    worker.send('WORK_DATA', second, 'b').send('WORK_DATA', first, 'a').send('WORK_COMPLETE', second, 'B');
    await worker.send('WORK_COMPLETE', first, 'A').quiet();
    await client.expect('WORK_DATA', second, 'b');
    await client.expect('WORK_DATA', first, 'a');
    await client.expect('WORK_COMPLETE', second, 'B');
    await told(client, 1, 'WORK_COMPLETE', first, 'A');
  },

  'a worker of several jobs ends them in any order': async (scene) => {
    const [client, worker] = await scene.pair();
    const handles: string[] = [];
    for (let i = 0; i < 5; i++) handles.push(await client.submit('SUBMIT_JOB', scene.fn, '', ''));
    for (const handle of handles) assert.equal((await worker.grab()).handle, handle);
    for (const handle of handles.toReversed()) worker.send('WORK_COMPLETE', handle, handle);
    await worker.quiet();
    for (const handle of handles.toReversed()) await client.expect('WORK_COMPLETE', handle, handle);
  },

  'a big result goes to all': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await submit(client, scene, 3);
    await worker.grab();
    const result = 'result\0'.repeat(100_000);
    await worker.send('WORK_COMPLETE', handle, result).quiet();
    for (let i = 0; i < 3; i++) {
      const [type, named, got] = await client.next();
      assert.ok(
        type === 'WORK_COMPLETE' && named === handle && got === result,
        `the result ${String(i)} is another one`,
      );
    }
  },
};
