/** A background job on its way: what is sent for it, what is refused before that, and what the caller learns. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import {
  GearmanArgumentError,
  GearmanConnectionError,
  GearmanServerError,
  type GearmanError,
} from '../../src/errors.js';
import { clientOf, collect, isPending, proven, rejection } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, dieOnRequest, errorPacket, jobCreated, serve } from '../support/peer.js';

const UUID_V1 = /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** What an error says of the call, for every field that it can have. */
function fieldsOf({
  code,
  server,
  function: name,
  unique,
  maybeSubmitted,
  serverCode,
  handle,
  unreachable,
}: GearmanError) {
  return { code, server, function: name, unique, maybeSubmitted, serverCode, handle, unreachable };
}

const nothing = { server: undefined, serverCode: undefined, handle: undefined, unreachable: undefined };
const job = { ...nothing, function: 'f', unique: 'u' };

describe('what is sent', () => {
  const calls: [name: string, call: (client: GearmanClient) => Promise<unknown>, type: string, args: string[]][] = [
    ['doBackground', (client) => client.doBackground('f', 'w', 'u'), 'SUBMIT_JOB_BG', ['p:f', 'u']],
    ['doHighBackground', (client) => client.doHighBackground('f', 'w', 'u'), 'SUBMIT_JOB_HIGH_BG', ['p:f', 'u']],
    [
      'doLowBackground',
      (client) => client.doLowBackground('f', 'w', { unique: 'u' }),
      'SUBMIT_JOB_LOW_BG',
      ['p:f', 'u'],
    ],
    ['submitBackground', (client) => client.submitBackground('f', 'w', { unique: 'u' }), 'SUBMIT_JOB_BG', ['p:f', 'u']],
    [
      'submitBackground with a high priority',
      (client) => client.submitBackground('f', 'w', { unique: 'u', priority: 'high' }),
      'SUBMIT_JOB_HIGH_BG',
      ['p:f', 'u'],
    ],
    [
      'submitBackground with a low priority',
      (client) => client.submitBackground('f', 'w', { unique: 'u', priority: 'low' }),
      'SUBMIT_JOB_LOW_BG',
      ['p:f', 'u'],
    ],
    [
      'a job for later, in whole seconds and not too early',
      (client) => client.doBackground('f', 'w', { unique: 'u', at: new Date(1_700_000_000_001) }),
      'SUBMIT_JOB_EPOCH',
      ['p:f', 'u', '1700000001'],
    ],
    [
      'a job with a reducer',
      (client) => client.doBackground('f', 'w', { unique: 'u', reducer: 'sum' }),
      'SUBMIT_REDUCE_JOB_BACKGROUND',
      ['p:f', 'u', 'p:sum', ''],
    ],
  ];
  for (const [name, call, type, args] of calls) {
    it(`for ${name} is ${type}`, async (t) => {
      const peer = await Peer.start(t, serve);
      await call(clientOf(t, [peer], { prefix: 'p:' }));
      assert.deepEqual(
        peer.requests.map((request) => ({ ...request, data: request.data.toString() })),
        [{ name: type, args, data: 'w' }],
      );
    });
  }

  it('has a new UUIDv1 as unique ID where none or an empty one is given', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    await client.doBackground('f', 'w');
    await client.doBackground('f', 'w', '');
    await client.doBackground('f', 'w', { unique: '' });
    await client.doBackground('f', 'w', { unique: undefined });
    const uniques = peer.requests.map(({ args }) => args[1] ?? '');
    assert.equal(new Set(uniques).size, 4);
    for (const unique of uniques) assert.match(unique, UUID_V1);
  });

  const binary = Buffer.from(Uint8Array.from({ length: 512 }, (_, index) => index & 0xff));
  const workloads: [name: string, workload: string | Uint8Array][] = [
    ['no bytes', ''],
    ['an empty buffer', Buffer.alloc(0)],
    ['every byte, NUL included', binary],
    ['a view of a larger buffer', new Uint8Array(binary.buffer, binary.byteOffset + 7, 100)],
    ['a string outside ASCII', 'grüße, мир, 世界 🚀\0'],
    ['a lone surrogate, as UTF-8 has it', '\ud800'],
    ...[16_383, 16_384, 16_385].map((bytes): [string, Uint8Array] => [`${bytes} bytes`, randomBytes(bytes)]),
    ...[5461, 5462, 16_384].map((length): [string, string] => [`${length} characters of 3 bytes`, '世'.repeat(length)]),
    ['64 MiB', Buffer.alloc(64 * 1024 * 1024, 'payload\0')],
  ];
  for (const [name, workload] of workloads) {
    it(`carries a workload of ${name} as it is, among others`, async (t) => {
      const peer = await Peer.start(t, serve);
      const client = clientOf(t, [peer], { timeout: Infinity });
      await Promise.all(['before', workload, 'behind'].map((each) => client.doBackground('f', each, 'u')));
      const [before, sent, behind] = peer.requests;
      assert.ok(sent?.data.equals(Buffer.from(workload as Uint8Array)));
      assert.deepEqual([before?.data.toString(), behind?.data.toString()], ['before', 'behind']);
    });
  }

  it('resolves to the handle byte for byte', async (t) => {
    const { client, connection } = await proven(t);
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    connection.send(Buffer.from('\0RES\0\0\0\x08\0\0\0\x05H:\xff:1', 'latin1'));
    assert.equal(await call, 'H:\xff:1');
  });
});

describe('bad input', () => {
  type Call = (client: GearmanClient) => Promise<unknown>;
  const submit =
    (...args: unknown[]): Call =>
    (client) =>
      (client.doBackground as (...args: unknown[]) => Promise<unknown>)(...args);
  const submitBackground =
    (...args: unknown[]): Call =>
    (client) =>
      (client.submitBackground as (...args: unknown[]) => Promise<unknown>).apply(client, args);
  const status =
    (...args: unknown[]): Call =>
    (client) =>
      (client.jobStatus as (...args: unknown[]) => Promise<unknown>).apply(client, args);
  const unique =
    (...args: unknown[]): Call =>
    (client) =>
      (client.jobStatusByUnique as (...args: unknown[]) => Promise<unknown>).apply(client, args);
  const ping =
    (...args: unknown[]): Call =>
    (client) =>
      (client.ping as (...args: unknown[]) => Promise<unknown>).apply(client, args);
  const watch =
    (...args: unknown[]): Call =>
    (client) =>
      collect((client.watch as (...args: unknown[]) => AsyncIterable<unknown>).apply(client, args));
  const close =
    (...args: unknown[]): Call =>
    (client) =>
      (client.close as (...args: unknown[]) => Promise<unknown>).apply(client, args);

  const cases: [name: string, call: Call, code: 'INVALID_ARGUMENT' | 'ARGUMENT_TOO_LARGE', message: RegExp][] = [
    ['an empty function name', submit('', 'w'), 'INVALID_ARGUMENT', /function name is empty/],
    ['a function name with NUL', submit('a\0b', 'w'), 'INVALID_ARGUMENT', /function name contains a NUL/],
    ['a function name of 512 bytes', submit('f'.repeat(512), 'w'), 'ARGUMENT_TOO_LARGE', /512 bytes; the limit is 511/],
    ['a function name of 512 bytes in UTF-8', submit('é'.repeat(256), 'w'), 'ARGUMENT_TOO_LARGE', /512 bytes/],
    ['a function name that is none', submit(undefined, 'w'), 'INVALID_ARGUMENT', /must be a string, not undefined/],
    ['a unique ID with NUL', submit('f', 'w', 'a\0b'), 'INVALID_ARGUMENT', /unique ID contains a NUL/],
    ['a unique ID of 64 bytes', submit('f', 'w', 'u'.repeat(64)), 'ARGUMENT_TOO_LARGE', /64 bytes; the limit is 63/],
    ['a unique ID of 64 bytes in UTF-8', submit('f', 'w', 'é'.repeat(32)), 'ARGUMENT_TOO_LARGE', /uniqueFor/],
    ["the unique ID '#'", submit('f', 'w', '#'), 'INVALID_ARGUMENT', /uniqueFor\(workload\)/],
    ["the unique ID '#' in options", submit('f', 'w', { unique: '#' }), 'INVALID_ARGUMENT', /uniqueFor/],
    ['a unique ID that is a number', submit('f', 'w', 7), 'INVALID_ARGUMENT', /./],
    ['a unique ID in options that is a number', submit('f', 'w', { unique: 7 }), 'INVALID_ARGUMENT', /not number/],
    ['a workload that is an object', submit('f', { a: 1 }), 'INVALID_ARGUMENT', /not an object. Serialize it first/],
    ['a workload that is null', submit('f', null), 'INVALID_ARGUMENT', /not null. Serialize/],
    ['a workload that is left out', submit('f'), 'INVALID_ARGUMENT', /not undefined/],
    ['a workload that is an array', submit('f', [1]), 'INVALID_ARGUMENT', /not an array/],
    ['a workload that is a number', submit('f', 1), 'INVALID_ARGUMENT', /not number/],
    ['an unknown option', submit('f', 'w', { uniqe: 'u' }), 'INVALID_ARGUMENT', /no option 'uniqe'/],
    ['options that are an array', submit('f', 'w', []), 'INVALID_ARGUMENT', /must be an object/],
    ['options that are null', submit('f', 'w', null), 'INVALID_ARGUMENT', /not null/],
    ['a priority beside the one in the name', submit('f', 'w', { priority: 'high' }), 'INVALID_ARGUMENT', /priority/],
    ['a priority that does not exist', submitBackground('f', 'w', { priority: 'top' }), 'INVALID_ARGUMENT', /priority/],
    ['a unique ID where options are expected', submitBackground('f', 'w', 'u'), 'INVALID_ARGUMENT', /\{ unique \}/],
    ...[0, -1, Number.NaN, '5', 2 ** 31, null].map((timeout): [string, Call, 'INVALID_ARGUMENT', RegExp] => [
      `the timeout ${String(timeout)}`,
      submit('f', 'w', { timeout }),
      'INVALID_ARGUMENT',
      /option timeout must be/,
    ]),
    ['a signal that is none', submit('f', 'w', { signal: {} }), 'INVALID_ARGUMENT', /AbortSignal/],
    ['a server that is not in the pool', submit('f', 'w', { server: 'x:1' }), 'INVALID_ARGUMENT', /not in the pool/],
    ['a server that is no name', submit('f', 'w', { server: 7 }), 'INVALID_ARGUMENT', /name of a job server/],
    ['resubmit that is no boolean', submit('f', 'w', { resubmit: 1 }), 'INVALID_ARGUMENT', /true or false/],
    ['a time that is no date', submit('f', 'w', { at: 5 }), 'INVALID_ARGUMENT', /Date/],
    ['a date that is none', submit('f', 'w', { at: new Date(Number.NaN) }), 'INVALID_ARGUMENT', /Date/],
    ['a date before 1970', submit('f', 'w', { at: new Date(-1) }), 'INVALID_ARGUMENT', /Date/],
    ['an empty reducer', submit('f', 'w', { reducer: '' }), 'INVALID_ARGUMENT', /reducer/],
    [
      'a date and a reducer',
      submit('f', 'w', { at: new Date(5), reducer: 'r' }),
      'INVALID_ARGUMENT',
      /no packet for this combination/,
    ],
    [
      'a date and a priority',
      (client) => client.doHighBackground('f', 'w', { at: new Date(5) }),
      'INVALID_ARGUMENT',
      /no packet for this combination/,
    ],
    [
      'a reducer and a priority',
      submitBackground('f', 'w', { reducer: 'r', priority: 'low' }),
      'INVALID_ARGUMENT',
      /no packet for this combination/,
    ],
    ['an empty handle', status(''), 'INVALID_ARGUMENT', /handle is empty/],
    ['a handle with NUL', status('H:\0'), 'INVALID_ARGUMENT', /NUL/],
    ['a handle outside ASCII', status('H:é'), 'INVALID_ARGUMENT', /printable ASCII/],
    ['a handle with a line break', status('H:a\n'), 'INVALID_ARGUMENT', /printable ASCII/],
    ['a handle of 64 bytes', status('H'.repeat(64)), 'ARGUMENT_TOO_LARGE', /64 bytes; the limit is 63/],
    ['an id with a handle of 64 bytes', status(`a//${'H'.repeat(64)}`), 'ARGUMENT_TOO_LARGE', /64 bytes/],
    ['an id without a handle', status('a//'), 'INVALID_ARGUMENT', /handle is empty/],
    ['an id of a stranger', status('stranger:4730//H:1'), 'INVALID_ARGUMENT', /not in the pool/],
    ['a handle that is none', status(undefined), 'INVALID_ARGUMENT', /must be a string/],
    ['an unknown option of a status', status('H:1', { unique: 'u' }), 'INVALID_ARGUMENT', /no option 'unique'/],
    ['a timeout of 0 for a status', status('H:1', { timeout: 0 }), 'INVALID_ARGUMENT', /timeout/],
    ['an empty unique ID to ask for', unique(''), 'INVALID_ARGUMENT', /unique ID is empty/],
    ["the unique ID '-' to ask for", unique('-'), 'INVALID_ARGUMENT', /'-' is that of no job/],
    ['a unique ID to ask for of 64 bytes', unique('u'.repeat(64)), 'ARGUMENT_TOO_LARGE', /64 bytes/],
    ["the unique ID '#' to ask for", unique('#'), 'INVALID_ARGUMENT', /#/],
    ['an unknown option of ping', ping({ servers: 'a' }), 'INVALID_ARGUMENT', /no option 'servers'/],
    ['a stranger to ping', ping({ server: 'a' }), 'INVALID_ARGUMENT', /not in the pool/],
    ['a handle to watch that is none', watch(''), 'INVALID_ARGUMENT', /empty/],
    ['an interval of 0', watch('H:1', { interval: 0 }), 'INVALID_ARGUMENT', /interval/],
    ['an unknown option of watch', watch('H:1', { intervall: 5 }), 'INVALID_ARGUMENT', /intervall/],
    ['a timeout of 0 for close', close({ timeout: 0 }), 'INVALID_ARGUMENT', /timeout/],
    ['an unknown option of close', close({ force: true }), 'INVALID_ARGUMENT', /force/],
  ];
  for (const [name, call, code, message] of cases) {
    it(`${name} is refused before a byte is sent`, async (t) => {
      const peer = await Peer.start(t, serve);
      const client = clientOf(t, [peer]);
      const error = await rejection(
        // What a promise method throws is no better than what it rejects with.
        (async () => call(client))(),
        `GEARMAN_${code}`,
      );
      assert.ok(error instanceof GearmanArgumentError);
      assert.match(error.message, message);
      await client.doBackground('f'.repeat(511), 'w', 'u'.repeat(63));
      assert.equal(peer.requests.length, 1, 'and the client goes on');
    });
  }

  it('rejects, and does not throw', async (t) => {
    const client = clientOf(t, [await Peer.start(t)]);
    const promises = [
      submit('', 'w'),
      submitBackground('', 'w'),
      status(''),
      unique(''),
      ping({ a: 1 }),
      close({ a: 1 }),
    ];
    for (const call of promises) await rejection(call(client), 'GEARMAN_INVALID_ARGUMENT');
  });

  it('is not kept in the message where it is a workload', async (t) => {
    const client = clientOf(t, [await Peer.start(t)]);
    const error = await rejection(submit('f', { secret: 'sesame' })(client), 'GEARMAN_INVALID_ARGUMENT');
    assert.doesNotMatch(JSON.stringify(error) + error.message, /sesame/);
  });
});

describe('what the caller learns', () => {
  it('when no server was reached', async (t) => {
    const peer = await Peer.start(t);
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer], { timeout: 500, prefix: 'p:' }, clock);
    const call = rejection(client.doBackground('f', 'w', 'u'), 'GEARMAN_COULD_NOT_CONNECT');
    await clock.advanceUntil(call);
    const error = await call;
    assert.ok(error instanceof GearmanConnectionError);
    assert.deepEqual(fieldsOf(error), { ...job, code: 'GEARMAN_COULD_NOT_CONNECT', maybeSubmitted: false });
    assert.ok(error.cause instanceof AggregateError);
    const [cause] = error.cause.errors as GearmanError[];
    assert.deepEqual([cause?.code, cause?.server], ['GEARMAN_COULD_NOT_CONNECT', peer.name]);
    assert.equal((cause?.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
    assert.match(error.message, /^Submitting f \(unique ID u\): no job server could be reached within 500 ms/);
  });

  it('when the only server that it may use was not reached', async (t) => {
    const [peer, other] = [await Peer.start(t), await Peer.start(t, serve)];
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer, other], { timeout: 500 }, clock);
    const call = rejection(
      client.doBackground('f', 'w', { unique: 'u', server: peer.name }),
      'GEARMAN_COULD_NOT_CONNECT',
    );
    await clock.advanceUntil(call);
    const error = await call;
    assert.deepEqual(fieldsOf(error), {
      ...job,
      code: 'GEARMAN_COULD_NOT_CONNECT',
      server: peer.name,
      maybeSubmitted: false,
    });
    assert.doesNotMatch(error.message, new RegExp(other.name));
    assert.deepEqual(other.requests, []);
  });

  it('when it waited behind a full connection', async (t) => {
    const { client, clock, connection } = await proven(t, { maxInFlight: 1, timeout: Infinity });
    void client.doBackground('f', 'w').catch(() => undefined);
    const call = rejection(client.doBackground('f', 'w', { unique: 'u', timeout: 50 }), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(50);
    const error = await call;
    assert.ok(error instanceof GearmanConnectionError);
    assert.deepEqual(fieldsOf(error), { ...job, code: 'GEARMAN_TIMEOUT', maybeSubmitted: false });
  });

  it('when it was written and the connection died', async (t) => {
    const peer = await Peer.start(t, dieOnRequest);
    const error = await rejection(clientOf(t, [peer]).doBackground('f', 'w', 'u'), 'GEARMAN_LOST_CONNECTION');
    assert.ok(error instanceof GearmanConnectionError);
    assert.deepEqual(fieldsOf(error), {
      ...job,
      code: 'GEARMAN_LOST_CONNECTION',
      server: peer.name,
      maybeSubmitted: true,
    });
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNRESET');
    assert.equal(peer.requests.length, 1);
  });

  it('when the server refuses it', async (t) => {
    const { client, connection, peer } = await proven(t);
    const call = rejection(client.doBackground('f', 'w', 'u'), 'GEARMAN_SERVER_ERROR');
    await connection.received(2);
    connection.send(errorPacket('QUEUE_ERROR', 'Job queue is full'));
    const error = await call;
    assert.ok(error instanceof GearmanServerError);
    assert.deepEqual(fieldsOf(error), {
      ...job,
      code: 'GEARMAN_SERVER_ERROR',
      server: peer.name,
      maybeSubmitted: false,
      serverCode: 'QUEUE_ERROR',
    });
    assert.equal(
      error.message,
      `Submitting f (unique ID u): ${peer.name} refused it: Job queue is full (QUEUE_ERROR).`,
    );
  });

  it('when no answer comes in time', async (t) => {
    const { client, clock, connection, peer } = await proven(t);
    const call = rejection(client.doBackground('f', 'w', { unique: 'u', timeout: 50 }), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(50);
    const error = await call;
    assert.deepEqual(fieldsOf(error), { ...job, code: 'GEARMAN_TIMEOUT', server: peer.name, maybeSubmitted: true });
    assert.match(error.message, /did not answer within 50 ms/);
  });

  it('when it is aborted', async (t) => {
    const { client, connection, peer } = await proven(t);
    const abort = new AbortController();
    const call = rejection(client.doBackground('f', 'w', { unique: 'u', signal: abort.signal }), 'GEARMAN_ABORTED');
    await connection.received(2);
    const reason = new Error('no longer wanted');
    abort.abort(reason);
    const error = await call;
    assert.deepEqual(fieldsOf(error), { ...job, code: 'GEARMAN_ABORTED', server: peer.name, maybeSubmitted: true });
    assert.equal(error.cause, reason);
    assert.equal(error.name, 'AbortError');
  });

  it('when the client is destroyed', async (t) => {
    const { client, connection, peer } = await proven(t, { maxInFlight: 1 });
    const written = rejection(client.doBackground('f', 'w', 'u'), 'GEARMAN_SHUTDOWN');
    const waiting = rejection(client.doBackground('f', 'w', 'u'), 'GEARMAN_SHUTDOWN');
    await connection.received(2);
    const reason = new Error('going down');
    client.destroy(reason);
    const errors = [await written, await waiting];
    assert.deepEqual(errors.map(fieldsOf), [
      { ...job, code: 'GEARMAN_SHUTDOWN', server: peer.name, maybeSubmitted: true },
      { ...job, code: 'GEARMAN_SHUTDOWN', maybeSubmitted: false },
    ]);
    for (const error of errors) assert.equal(error.cause, reason);
  });

  it('is in what a logger serializes', async (t) => {
    const peer = await Peer.start(t, dieOnRequest);
    const error = await rejection(clientOf(t, [peer]).doBackground('f', 'sesame', 'u'), 'GEARMAN_LOST_CONNECTION');
    const json = JSON.parse(JSON.stringify(error)) as Record<string, unknown>;
    assert.deepEqual(json, {
      name: error.name,
      message: error.message,
      code: 'GEARMAN_LOST_CONNECTION',
      server: peer.name,
      function: 'f',
      unique: 'u',
      maybeSubmitted: true,
      cause: 'read ECONNRESET',
    });
  });
});

describe('a deadline', () => {
  it('of Infinity is none', async (t) => {
    const { client, clock, connection } = await proven(t, { heartbeat: Infinity });
    const call = client.doBackground('f', 'w', { timeout: Infinity });
    await connection.received(2);
    clock.advance(3_600_000);
    assert.equal(await isPending(call), true);
    connection.send(jobCreated('H:1'));
    assert.equal(await call, 'H:1');
  });

  it('runs from the call, wherever the job waits', async (t) => {
    const peer = await Peer.start(t);
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer], { backoff: { min: 5000, max: 5000 } }, clock);
    const call = rejection(client.doBackground('f', 'w', { timeout: 300 }), 'GEARMAN_COULD_NOT_CONNECT');
    await clock.advanceUntil(call);
    assert.equal(clock.now(), 300);
  });
});

describe('a call', () => {
  it('the time of a job is that of the call, whatever becomes of the Date', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    const at = new Date(1_000_000);
    const call = client.doBackground('f', 'w', { at });
    at.setTime(2_000_000);
    await call;
    const request = await (await peer.connection(0)).request(0);
    assert.equal(request.args[2], '1000');
  });

  it('half a surrogate pair is no unique ID', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    await rejection(client.doBackground('f', 'w', 'a\ud800'), 'GEARMAN_INVALID_ARGUMENT');
    await rejection(client.jobStatusByUnique('a\ud800'), 'GEARMAN_INVALID_ARGUMENT');
    assert.equal(peer.connections.length, 0);
  });

  it('a routing function that ends the client ends the call, too', async (t) => {
    const peers = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const client = clientOf(t, peers, {
      timeout: Infinity,
      routing: (_job, servers) => {
        client.destroy();
        return servers;
      },
    });
    await rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
  });

  it('that was lost and then refused may be submitted all the same', async (t) => {
    const first = await Peer.start(t, (connection) => {
      connection.onRequest = () => {
        connection.socket.resetAndDestroy();
      };
    });
    const second = await Peer.start(t, (connection) => {
      connection.onRequest = () => {
        connection.send(errorPacket());
      };
    });
    const client = clientOf(t, [first, second], { resubmit: true });
    const error = await rejection(client.doBackground('f', 'w'), 'GEARMAN_SERVER_ERROR');
    assert.equal(error.maybeSubmitted, true);
  });

  it('on a server that has left the pool is cut by destroy()', async (t) => {
    const peers = [await Peer.start(t, () => undefined), await Peer.start(t, serve)];
    const client = clientOf(t, peers, { timeout: Infinity, heartbeat: Infinity });
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    await (await peers[0]?.connection(0))?.received(1);
    client.removeServer(peers[0]?.name ?? '');
    client.destroy();
    assert.equal((await call).maybeSubmitted, true);
  });
});
