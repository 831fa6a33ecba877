/** A job is submitted, and arrives as it is. */
import assert from 'node:assert/strict';
import type { Run, Theme } from './scene.js';
import { request, type Type } from './packets.js';

const TYPES: readonly (readonly [Type, ...string[]])[] = [
  ['SUBMIT_JOB'],
  ['SUBMIT_JOB_BG'],
  ['SUBMIT_JOB_HIGH'],
  ['SUBMIT_JOB_HIGH_BG'],
  ['SUBMIT_JOB_LOW'],
  ['SUBMIT_JOB_LOW_BG'],
  ['SUBMIT_JOB_EPOCH', '1'],
  ['SUBMIT_REDUCE_JOB', 'sum', '0'],
  ['SUBMIT_REDUCE_JOB_BACKGROUND', 'sum', '0'],
];

const WORKLOADS: Readonly<Record<string, string>> = {
  empty: '',
  'of NULs': '\0\0\0',
  'that looks like packets': `${request('SUBMIT_JOB', 'f', 'u', 'w').toString('latin1')}\0RES`,
  'of lines': 'status\r\nversion\r\n.\r\n',
  'of all bytes': Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('latin1'),
  'of 8192 bytes': 'x'.repeat(8192),
  'of 1 MiB': '0123456789abcdef'.repeat(65_536),
};

const arrives =
  (workload: string): Run =>
  async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, workload);
    const job = await worker.grab();
    assert.ok(job.workload === workload, 'the worker was given another workload');
    const { fn, unique } = scene;
    assert.deepEqual({ ...job, workload }, { handle, fn, unique, workload });
    await worker.send('WORK_COMPLETE', handle, workload).quiet();
    const [type, named, result] = await client.next();
    assert.deepEqual([type, named], ['WORK_COMPLETE', handle]);
    assert.ok(result === workload, 'the client was given another result');
  };

const created =
  ([type, ...args]: (typeof TYPES)[number]): Run =>
  async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit(type, scene.fn, scene.unique, ...args, 'workload');
    assert.match(handle, /^H:[\x21-\x7e]+:[1-9]\d*$/);
    await client.quiet();
    assert.equal(await client.status(handle), '1 0 0 0');
    const worker = await scene.worker();
    assert.deepEqual(await worker.grab(), { handle, fn: scene.fn, unique: scene.unique, workload: 'workload' });
    await worker.send('WORK_COMPLETE', handle, 'result').quiet();
    if (type.endsWith('_BG') || type.endsWith('BACKGROUND') || type.endsWith('EPOCH')) await client.quiet();
    else await client.expect('WORK_COMPLETE', handle, 'result');
  };

export const submission: Theme = {
  ...Object.fromEntries(
    TYPES.map((each) => [`${each[0]} creates a job, and decides whether the client hears of its end`, created(each)]),
  ),
  ...Object.fromEntries(
    Object.entries(WORKLOADS).map(([what, workload]) => [
      `workload and result ${what} arrive as they are`,
      arrives(workload),
    ]),
  ),

  'handles count up': async (scene) => {
    const client = await scene.peer();
    const handles: string[] = [];
    for (let i = 0; i < 3; i++) handles.push(await client.submit('SUBMIT_JOB_BG', scene.fn, '', ''));
    const numbers = handles.map((handle) => Number(/\d+$/.exec(handle)?.[0]));
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
    assert.equal(new Set(numbers).size, 3);
  },

  'many in one write are answered in order': async (scene) => {
    const client = await scene.peer();
    const uniques = Array.from({ length: 200 }, (_, i) => scene.name(String(i)));
    client.write(Buffer.concat(uniques.map((unique) => request('SUBMIT_JOB_BG', scene.fn, unique, unique))));
    const handles: string[] = [];
    while (handles.length < uniques.length) handles.push((await client.next())[1] ?? '');
    const worker = await scene.worker();
    for (const [index, unique] of uniques.entries()) {
      const job = await worker.grab();
      assert.deepEqual([job.handle, job.workload], [handles[index], unique]);
    }
  },

  'a job waits for a worker that does not exist yet, and outlives its background client': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, 'w');
    await scene.leave(client);
    const worker = await scene.worker();
    assert.equal((await worker.grab()).handle, handle);
  },

  'one connection may be client and worker': async (scene) => {
    const both = await scene.worker();
    const handle = await both.submit('SUBMIT_JOB', scene.fn, '', 'w');
    assert.equal((await both.grab()).handle, handle);
    both.send('WORK_DATA', handle, 'd').send('WORK_COMPLETE', handle, 'r');
    await both.expect('WORK_DATA', handle, 'd');
    await both.expect('WORK_COMPLETE', handle, 'r');
    await both.quiet();
  },

  'function names are bytes: upper case, spaces and UTF-8 are kept, and told apart': async (scene) => {
    const client = await scene.peer();
    const names = ['A b', 'a b', '\xc3\xa4', '\xff'].map((name) => scene.name(name));
    for (const name of names) await client.submit('SUBMIT_JOB_BG', name, scene.unique, name);
    for (const name of names.toReversed()) {
      const worker = await scene.worker(name);
      const { fn, workload } = await worker.grab();
      assert.deepEqual([fn, workload], [name, name]);
      await worker.grabNothing();
    }
  },

  'a unique ID is bytes': async (scene) => {
    const [client, worker] = await scene.pair();
    const unique = scene.name('\xff \t\n\xc3');
    await client.submit('SUBMIT_JOB_BG', scene.fn, unique, '');
    assert.equal((await worker.grab()).unique, unique);
  },

  'an empty unique ID stays empty': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'w');
    assert.equal((await worker.grab()).unique, '');
  },
};
