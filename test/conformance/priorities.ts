/** Which job a worker is given. */
import assert from 'node:assert/strict';
import type { Type } from './packets.js';
import type { Peer } from './peer.js';
import type { Run, Theme } from './scene.js';

/** Submits jobs in the background, their workloads being the names of their priorities and a number. */
async function submitAll(client: Peer, fn: string, workloads: readonly string[]): Promise<void> {
  for (const workload of workloads) {
    const type = TYPES[workload.replace(/ .*/, '')] ?? 'SUBMIT_JOB_BG';
    await client.submit(type, fn, '', workload);
  }
}

const TYPES: Readonly<Record<string, Type>> = {
  high: 'SUBMIT_JOB_HIGH_BG',
  normal: 'SUBMIT_JOB_BG',
  low: 'SUBMIT_JOB_LOW_BG',
};

const firstInFirstOut =
  (priority: string): Run =>
  async (scene) => {
    const [client, worker] = await scene.pair();
    const workloads = Array.from({ length: 20 }, (_, i) => `${priority} ${String(i)}`);
    await submitAll(client, scene.fn, workloads);
    assert.deepEqual(await worker.drain(), workloads);
  };

export const priorities: Theme = {
  'first in, first out with high priority': firstInFirstOut('high'),
  'first in, first out with normal priority': firstInFirstOut('normal'),
  'first in, first out with low priority': firstInFirstOut('low'),

  'high before normal before low': async (scene) => {
    const [client, worker] = await scene.pair();
    await submitAll(client, scene.fn, ['low 1', 'normal 1', 'high 1', 'low 2', 'high 2', 'normal 2']);
    assert.deepEqual(await worker.drain(), ['high 1', 'high 2', 'normal 1', 'normal 2', 'low 1', 'low 2']);
  },

  'foreground and background, and the connection, make no difference': async (scene) => {
    const [one, worker] = await scene.pair();
    const other = await scene.peer();
    await one.submit('SUBMIT_JOB_LOW', scene.fn, '', '1');
    await other.submit('SUBMIT_JOB_LOW_BG', scene.fn, '', '2');
    await one.submit('SUBMIT_JOB_LOW_BG', scene.fn, '', '3');
    await other.submit('SUBMIT_JOB_LOW', scene.fn, '', '4');
    await other.submit('SUBMIT_JOB_HIGH', scene.fn, '', '0');
    assert.deepEqual(await worker.drain(), ['0', '1', '2', '3', '4']);
  },

  'a job that is to be reduced, or has a time that is over, has normal priority': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_LOW_BG', scene.fn, '', 'low');
    await client.submit('SUBMIT_REDUCE_JOB', scene.fn, '', 'sum', '0', 'reduced');
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', '1', 'past');
    await client.submit('SUBMIT_JOB_HIGH_BG', scene.fn, '', 'high');
    assert.deepEqual(await worker.drain(), ['high', 'reduced', 'past', 'low']);
  },

  'a running job is not interrupted': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await client.submit('SUBMIT_JOB_HIGH_BG', scene.fn, '', 'high');
    await worker.quiet();
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
    assert.deepEqual(await worker.drain(), ['high']);
  },

  'of several functions, high jobs of any go before normal ones of any': async (scene) => {
    const client = await scene.peer();
    const [f, g] = [scene.name('f'), scene.name('g')];
    const worker = await scene.worker(f, g);
    await submitAll(client, f, ['low f', 'normal f', 'high f']);
    await submitAll(client, g, ['low g', 'normal g', 'high g']);
    const ofFunctions = scene.differs('priorities count within a function')
      ? ['high g', 'normal g', 'low g', 'high f', 'normal f', 'low f']
      : ['high g', 'high f', 'normal g', 'normal f', 'low g', 'low f'];
    assert.deepEqual(await worker.drain(), ofFunctions);
  },

  'of several functions, the one that the worker named last goes first': async (scene) => {
    const client = await scene.peer();
    const functions = ['f', 'g', 'h'].map((fn) => scene.name(fn));
    for (const fn of functions) await submitAll(client, fn, [`normal ${fn} 1`, `normal ${fn} 2`]);
    const worker = await scene.worker(...functions);
    const expected = functions.toReversed().flatMap((fn) => [`normal ${fn} 1`, `normal ${fn} 2`]);
    assert.deepEqual(await worker.drain(), expected);
  },

  'with round robin, functions take turns': async (scene) => {
    const round = scene.with({ roundRobin: true });
    const client = await round.peer();
    const functions = ['f', 'g'].map((fn) => round.name(fn));
    const [f = '', g = ''] = functions;
    const worker = await round.worker(f, g);
    await submitAll(client, f, ['normal f 1', 'normal f 2', 'normal f 3']);
    await submitAll(client, g, ['normal g 1', 'normal g 2']);
    const workloads = await worker.drain();
    assert.deepEqual(workloads, ['normal g 1', 'normal f 1', 'normal g 2', 'normal f 2', 'normal f 3']);
  },

  'with round robin, priorities count': async (scene) => {
    const round = scene.with({ roundRobin: true });
    const [client, worker] = await round.pair();
    await submitAll(client, round.fn, ['low', 'normal', 'high 1', 'high 2']);
    assert.deepEqual(await worker.drain(), ['high 1', 'high 2', 'normal', 'low']);
  },
};
