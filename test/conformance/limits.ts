/** What is too long, or no request at all. */
import assert from 'node:assert/strict';
import { numberOf, type Type } from './packets.js';
import type { Run, Theme } from './scene.js';

/** Packets that no peer may send. */
const NOT_EXPECTED: readonly Type[] = [
  'NOOP',
  'JOB_CREATED',
  'NO_JOB',
  'JOB_ASSIGN',
  'ECHO_RES',
  'ERROR',
  'STATUS_RES',
  'ALL_YOURS',
  'OPTION_RES',
  'JOB_ASSIGN_UNIQ',
  'SUBMIT_JOB_SCHED',
  'JOB_ASSIGN_ALL',
  'STATUS_RES_UNIQUE',
];

const notExpected =
  (number: number, body: string): Run =>
  async (scene) => {
    const peer = await scene.peer();
    peer.sendNumber(number, body);
    assert.equal(await peer.expectError('INVALID_COMMAND'), 'Command not expected');
    await peer.quiet();
  };

const ends =
  (bytes: string): Run =>
  async (scene) => {
    await (await scene.peer()).write(bytes).closed();
  };

const functionOf =
  (make: (id: string) => string): Run =>
  async (scene) => {
    const client = await scene.peer();
    const fn = make(scene.fn);
    const worker = await scene.worker(fn);
    const handle = await client.submit('SUBMIT_JOB', fn, scene.unique, 'w');
    const job = await worker.grab();
    assert.ok(job.fn === fn, 'it is a job of another function');
    assert.deepEqual({ ...job, fn: '' }, { handle, fn: '', unique: scene.unique, workload: 'w' });
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
    await worker.send('CANT_DO', fn).quiet();
    await client.submit('SUBMIT_JOB_BG', fn, '', '');
    await worker.grabNothing();
  };

export const limits: Theme = {
  ...Object.fromEntries(
    NOT_EXPECTED.map((type) => [`${type} is no request`, notExpected(numberOf(type), Array(10).join('\0'))]),
  ),
  'packet type 5 is no request': notExpected(5, ''),

  'packet type 0 ends the connection': async (scene) => {
    await (await scene.peer()).sendNumber(0).closed();
  },
  'packet type 43 ends the connection': async (scene) => {
    await (await scene.peer()).sendNumber(43).closed();
  },
  'packet type 4294967295 ends the connection': async (scene) => {
    if (scene.differs('a packet type above 2147483647 kills it')) return;
    await (await scene.peer()).sendNumber(0xffff_ffff).closed();
  },
  'another magic ends the connection': ends('\0REX\0\0\0\x10\0\0\0\0'),
  'a magic of NULs ends the connection': ends('\0'.repeat(12)),

  'the magic of responses is an error': async (scene) => {
    const peer = await scene.peer();
    peer.sendNumber(numberOf('ECHO_REQ'), 'echo', '\0RES');
    assert.equal(await peer.expectError('INVALID_MAGIC'), 'Request magic expected');
    await peer.quiet();
  },

  'errors stand in the order of the requests': async (scene) => {
    const peer = await scene.peer();
    peer.send('ECHO_REQ', '1').sendNumber(5).send('OPTION_REQ', 'x').send('GET_STATUS', 'H:nobody:1');
    peer.send('SUBMIT_JOB', scene.fn, 'u'.repeat(65), '').send('ECHO_REQ', '2');
    await peer.expect('ECHO_RES', '1');
    await peer.expectError('INVALID_COMMAND');
    await peer.expectError('UNKNOWN_OPTION');
    await peer.expect('STATUS_RES', 'H:nobody:1', '0', '0', '0', '0');
    await peer.expectError('ARGUMENT_TOO_LARGE');
    await peer.expect('ECHO_RES', '2');
  },

  'a unique ID of 63 bytes': async (scene) => {
    const [client, worker] = await scene.pair();
    const unique = scene.unique.padEnd(63, 'x');
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, unique, 'w');
    assert.equal(await client.submit('SUBMIT_JOB_BG', scene.fn, unique, 'w'), handle);
    assert.deepEqual(await worker.grab(), { handle, fn: scene.fn, unique, workload: 'w' });
  },

  'a unique ID of 64 bytes': async (scene) => {
    const [client, worker] = await scene.pair();
    const unique = scene.unique.padEnd(64, 'x');
    const isBroken = scene.differs('a unique ID of 64 bytes is broken');
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, unique, 'w');
    assert.equal((await client.submit('SUBMIT_JOB_BG', scene.fn, unique, 'w')) === handle, !isBroken);
    const broken = { unique: unique.slice(0, 63), workload: '\0w' };
    assert.deepEqual(await worker.grab(), {
      handle,
      fn: scene.fn,
      ...(isBroken ? broken : { unique, workload: 'w' }),
    });
  },

  'a unique ID of 65 bytes is refused, whatever is submitted': async (scene) => {
    const client = await scene.peer();
    const unique = scene.unique.padEnd(65, 'x');
    for (const type of ['SUBMIT_JOB', 'SUBMIT_JOB_BG', 'SUBMIT_JOB_HIGH', 'SUBMIT_JOB_LOW_BG'] as const) {
      client.send(type, scene.fn, unique, 'w');
      assert.equal(await client.expectError('ARGUMENT_TOO_LARGE'), 'Unique value too large');
    }
    client.send('SUBMIT_JOB_EPOCH', scene.fn, unique, '1', 'w');
    await client.expectError('ARGUMENT_TOO_LARGE');
    await client.quiet();
    assert.deepEqual(await scene.lines('status'), []);
  },

  'a function without a name': functionOf(() => ''),
  'a function with spaces': functionOf((fn) => ` ${fn}  with spaces `),
  'a function with TABs': functionOf((fn) => `\t${fn}\t`),
  'a function of 512 bytes': functionOf((fn) => fn.padEnd(512, 'x')),
  'a function of 8000 bytes': functionOf((fn) => fn.padEnd(8000, 'x')),

  'a function of 9000 bytes ends the connection of who submits to it': async (scene) => {
    await (await scene.peer()).send('SUBMIT_JOB_BG', 'x'.repeat(9000), '', '').closed();
  },
  'a function of 9000 bytes ends the connection of who can do it': async (scene) => {
    await (await scene.peer()).send('CAN_DO', 'x'.repeat(9000)).closed();
  },

  'a handle of 64 bytes is unknown': async (scene) => {
    const peer = await scene.peer();
    const handle = 'H:'.padEnd(64, 'x');
    if (scene.differs('what it cannot use is not answered')) {
      await peer.send('GET_STATUS', handle).ignored();
      return;
    }
    assert.equal(await peer.status(handle), '0 0 0 0');
  },

  'a unique ID of 64 bytes that nobody has is unknown': async (scene) => {
    const peer = await scene.peer();
    const unique = scene.unique.padEnd(64, 'x');
    if (scene.differs('what it cannot use is not answered')) {
      await peer.send('GET_STATUS_UNIQUE', unique).ignored();
      return;
    }
    assert.equal(await peer.statusByUnique(unique), '0 0 0 0 0');
  },

  'one peer that breaks the protocol harms no other one': async (scene) => {
    const { client, worker, handle } = await scene.running();
    await (await scene.peer()).write('\0BAD\0\0\0\0\0\0\0\0').closed();
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
  },

  'who breaks the protocol loses his jobs to others': async (scene) => {
    const { client, worker, handle } = await scene.running();
    const other = await scene.worker();
    await other.send('PRE_SLEEP').quiet();
    await worker.sendNumber(43).closed();
    await other.expect('NOOP');
    assert.equal((await other.grab()).handle, handle);
    await client.quiet();
  },
};
