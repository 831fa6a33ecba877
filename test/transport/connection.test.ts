/** What a job server may do to a connection, byte by byte and packet by packet. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GearmanProtocolError, type GearmanErrorCode } from '../../src/errors.js';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import { nodeRuntime } from '../../src/runtime.js';
import {
  assertDestroyed,
  clientOf,
  isPending,
  proven,
  rejection,
  settleDown,
  stateOf,
  untilState,
} from '../support/client.js';
import { anyPacket } from '../support/packets.js';
import {
  Peer,
  echoRes,
  errorPacket,
  freeze,
  jobCreated,
  serve,
  serveTheLeast,
  statusRes,
  statusResUnique,
  type PeerConnection,
} from '../support/peer.js';

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('an answer that is cut', () => {
  const answer = jobCreated('H:peer:1');

  for (const length of indexes(answer.length)) {
    it(`after byte ${length} of ${answer.length} is a lost connection`, async (t) => {
      const peer = await Peer.start(t);
      const call = clientOf(t, [peer]).doBackground('f', 'w');
      const connection = await peer.connection(0);
      await connection.received(1);
      if (length > 0) connection.send(answer.subarray(0, length));
      connection.end();
      const error = await rejection(call, 'GEARMAN_LOST_CONNECTION');
      assert.equal(error.maybeSubmitted, true);
      assert.equal(error.server, peer.name);
    });
  }

  it('behind its last byte is an answer', async (t) => {
    const peer = await Peer.start(t);
    const call = clientOf(t, [peer]).doBackground('f', 'w');
    const connection = await peer.connection(0);
    await connection.received(1);
    connection.send(answer);
    connection.end();
    assert.equal(await call, 'H:peer:1');
  });

  it('at any byte of a status is asked again, on the next connection', async (t) => {
    const { client, peer, connection } = await proven(t, { backoff: { min: 1, max: 1 } });
    const whole = statusRes('H:proof', [true, true, 3, 14]);
    const last: { connection: PeerConnection } = { connection };
    for (const [attempt, length] of indexes(whole.length).entries()) {
      peer.follow(() => undefined);
      const status = client.jobStatus('H:proof');
      // A question before the status proves the connection, so that its end needs no pause.
      await last.connection.received(2);
      last.connection.send(whole.subarray(0, length));
      last.connection.end();
      last.connection = await peer.connection(attempt + 1);
      await last.connection.received(1);
      last.connection.send(whole);
      assert.deepEqual(await status, [true, true, 3, 14]);
    }
  });

  it('and comes one byte a write is whole in the end', async (t) => {
    const { client, connection } = await proven(t);
    const calls = Promise.allSettled([
      client.doBackground('f', 'a'),
      client.jobStatus('H:proof'),
      client.doBackground('f', 'b'),
    ]);
    await connection.received(4);
    await connection.drip(Buffer.concat([jobCreated('H:a'), statusRes('H:proof', [true, false, 0, 0]), errorPacket()]));
    const [a, status, b] = await calls;
    assert.deepEqual(a, { status: 'fulfilled', value: 'H:a' });
    assert.deepEqual(status, { status: 'fulfilled', value: [true, false, 0, 0] });
    assert.equal(b.status, 'rejected');
  });
});

describe('answers', () => {
  it('are given to the requests in order, whatever these are', async (t) => {
    const { client, peer, connection } = await proven(t);
    const calls = Promise.all([
      client.doBackground('f', 'a'),
      client.jobStatus('H:proof'),
      client.ping(),
      client.jobStatusByUnique('u', { server: peer.name }),
      client.doHighBackground('f', 'b'),
      client.doLowBackground('f', 'c'),
    ]);
    const requests = await connection.received(7);
    assert.deepEqual(
      requests.slice(1).map(({ name }) => name),
      ['SUBMIT_JOB_BG', 'GET_STATUS', 'ECHO_REQ', 'GET_STATUS_UNIQUE', 'SUBMIT_JOB_HIGH_BG', 'SUBMIT_JOB_LOW_BG'],
    );
    connection.send(jobCreated('H:a'), statusRes('H:proof', [true, true, 1, 2]));
    connection.send(echoRes(requests[3]?.data ?? Buffer.alloc(0)), statusResUnique('u', [true, false, 0, 0], 7));
    connection.send(jobCreated('H:b'), jobCreated('H:c'));
    const [a, status, [ping], unique, b, c] = await calls;
    assert.deepEqual([a, b, c], ['H:a', 'H:b', 'H:c']);
    assert.deepEqual(status, [true, true, 1, 2]);
    assert.deepEqual(unique, [true, false, 0, 0, 7]);
    assert.equal(ping?.server, peer.name);
    assert.equal(ping.error, undefined);
  });

  it('to calls that have timed out are dropped, and the next answer is for the next call', async (t) => {
    const { client, clock, connection } = await proven(t);
    const late = client.doBackground('f', 'late', { timeout: 5 });
    const next = client.doBackground('f', 'next');
    await connection.received(3);
    clock.advance(5);
    const error = await rejection(late, 'GEARMAN_TIMEOUT');
    assert.equal(error.maybeSubmitted, true);
    connection.send(jobCreated('H:late'), jobCreated('H:next'));
    assert.equal(await next, 'H:next');
  });

  it('to calls that were aborted are dropped likewise', async (t) => {
    const { client, connection } = await proven(t);
    const abort = new AbortController();
    const gone = client.jobStatus('H:proof', { signal: abort.signal });
    const next = client.jobStatus('H:proof');
    await connection.received(3);
    abort.abort();
    await rejection(gone, 'GEARMAN_ABORTED');
    connection.send(statusRes('H:proof', [true, true, 1, 9]), statusRes('H:proof', [true, true, 2, 9]));
    assert.deepEqual(await next, [true, true, 2, 9]);
  });

  it('to calls that have timed out are checked all the same', async (t) => {
    const { client, clock, connection } = await proven(t);
    const late = client.doBackground('f', 'late', { timeout: 5 });
    const next = client.doBackground('f', 'next');
    await connection.received(3);
    clock.advance(5);
    await rejection(late, 'GEARMAN_TIMEOUT');
    connection.send(statusRes('H:proof'));
    await assertDestroyed(next, 'GEARMAN_UNEXPECTED_PACKET');
  });

  it('that never come end in a timeout', async (t) => {
    const { client, clock, peer, connection } = await proven(t, { timeout: 700 });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    clock.advance(699);
    assert.equal(await isPending(call), true);
    clock.advance(1);
    const error = await rejection(call, 'GEARMAN_TIMEOUT');
    assert.equal(error.server, peer.name);
    assert.match(error.message, /did not answer within 700 ms/);
  });
});

describe('an ERROR', () => {
  const SIZE = 5;
  for (const position of indexes(SIZE)) {
    it(`at position ${position} of a pipeline rejects that call alone`, async (t) => {
      const { client, peer, connection } = await proven(t);
      const calls = indexes(SIZE).map((index) => client.doBackground('f', String(index), `u${index}`));
      await connection.received(1 + SIZE);
      connection.send(...indexes(SIZE).map((index) => (index === position ? errorPacket() : jobCreated(`H:${index}`))));
      for (const [index, call] of calls.entries()) {
        if (index !== position) {
          assert.equal(await call, `H:${index}`);
          continue;
        }
        const error = await rejection(call, 'GEARMAN_SERVER_ERROR');
        const { serverCode, server, unique, maybeSubmitted, message } = error;
        assert.deepEqual(
          { serverCode, server, unique, maybeSubmitted, function: error.function },
          { serverCode: 'QUEUE_ERROR', server: peer.name, unique: `u${index}`, maybeSubmitted: false, function: 'f' },
        );
        assert.match(message, /Job queue is full/);
      }
    });
  }

  it('may answer a status, and an echo, for which it is a sign of life', async (t) => {
    const { client, connection } = await proven(t);
    const status = rejection(client.jobStatus('H:proof'), 'GEARMAN_SERVER_ERROR');
    const unique = rejection(client.jobStatusByUnique('u'), 'GEARMAN_SERVER_ERROR');
    const ping = client.ping();
    await connection.received(4);
    connection.send(
      errorPacket('INVALID_COMMAND', 'a'),
      errorPacket('INVALID_COMMAND', 'b'),
      errorPacket('INVALID_COMMAND', 'c'),
    );
    assert.equal((await status).handle, 'H:proof');
    assert.equal((await unique).unique, 'u');
    assert.equal((await ping)[0]?.error, undefined);
  });
});

describe('an answer that does not fit', () => {
  const misfits: [name: string, bytes: Buffer, code: GearmanErrorCode][] = [
    ['is of another type', jobCreated('H:proof'), 'GEARMAN_UNEXPECTED_PACKET'],
    ['is about another handle', statusRes('H:other'), 'GEARMAN_UNEXPECTED_PACKET'],
    ['is of the other question', statusResUnique('H:proof'), 'GEARMAN_UNEXPECTED_PACKET'],
    ['has a bad flag', encode('RES', TYPE.STATUS_RES, ['H:proof', '2', '0', '0', '0']), 'GEARMAN_UNEXPECTED_PACKET'],
    ['has a bad count', encode('RES', TYPE.STATUS_RES, ['H:proof', '1', '1', 'x', '0']), 'GEARMAN_UNEXPECTED_PACKET'],
    [
      'has too few arguments',
      Buffer.concat([Buffer.from('\0RES\0\0\0\x14\0\0\0\x03', 'latin1'), Buffer.from('a\0b')]),
      'GEARMAN_INVALID_PACKET',
    ],
    ['is no packet', Buffer.from('OK\n'), 'GEARMAN_INVALID_MAGIC'],
    ['is a request', encode('REQ', TYPE.GET_STATUS, ['H:proof']), 'GEARMAN_INVALID_MAGIC'],
    ['is of no type', Buffer.from('\0RES\0\0\0\x05\0\0\0\0', 'latin1'), 'GEARMAN_INVALID_COMMAND'],
    [
      'is of a type that only clients send',
      Buffer.from('\0RES\0\0\0\x07\0\0\0\0', 'latin1'),
      'GEARMAN_UNEXPECTED_PACKET',
    ],
    ['is too long', Buffer.from('\0RES\0\0\0\x14\xff\0\0\0', 'latin1'), 'GEARMAN_DATA_TOO_LARGE'],
  ];
  for (const [name, bytes, code] of misfits) {
    it(`because it ${name} destroys the connection, and the client goes on`, async (t) => {
      const { client, clock, peer, connection } = await proven(t);
      const status = assertDestroyed(client.jobStatus('H:proof'), code);
      const behind = assertDestroyed(client.doBackground('f', 'w', 'u'), code);
      await connection.received(3);
      connection.send(bytes);
      await status;
      const error = await behind;
      assert.equal(error.maybeSubmitted, true);
      assert.equal(error.unique, 'u');
      await connection.closed;

      assert.equal(stateOf(client, peer).state, 'paused');
      const next = client.doBackground('f', 'w');
      clock.advance(100);
      assert.equal(await next, 'H:peer:1');
    });
  }

  it('because it is a JOB_CREATED without a handle destroys the connection', async (t) => {
    const { client, connection } = await proven(t);
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    connection.send(jobCreated(''));
    await assertDestroyed(call, 'GEARMAN_UNEXPECTED_PACKET');
  });

  for (const rest of ['\0RES\0\0\0\x08', '\0H:2', '\0\0H:2\0', '\0 ']) {
    it(`because it is a JOB_CREATED that goes on behind its handle (${JSON.stringify(rest)}) destroys the connection`, async (t) => {
      const { client, connection } = await proven(t);
      const [call, behind] = [client.doBackground('f', 'a'), client.doBackground('f', 'b')];
      await connection.received(3);
      connection.send(jobCreated(`H:vm${rest}`), jobCreated('H:b'));
      const error = await assertDestroyed(call, 'GEARMAN_UNEXPECTED_PACKET');
      assert.equal(error.maybeSubmitted, true);
      assert.equal((await assertDestroyed(behind, 'GEARMAN_UNEXPECTED_PACKET')).maybeSubmitted, true);
    });
  }

  it('because it goes on behind its handle destroys the connection, also when nobody waits for that handle', async (t) => {
    const { client, clock, connection } = await proven(t);
    const late = client.doBackground('f', 'a', { timeout: 5 });
    const behind = client.doBackground('f', 'b');
    await connection.received(3);
    clock.advance(5);
    await rejection(late, 'GEARMAN_TIMEOUT');
    connection.send(jobCreated('H:vm\0H:b'));
    await assertDestroyed(behind, 'GEARMAN_UNEXPECTED_PACKET');
  });

  it('does fit when a NUL is behind its handle, as old servers have it, which is not part of that', async (t) => {
    const { client, connection } = await proven(t);
    const [call, behind] = [client.doBackground('f', 'a'), client.doBackground('f', 'b')];
    await connection.received(3);
    connection.send(jobCreated('H:vm:1\0'), jobCreated('H:vm:2'));
    assert.deepEqual(await Promise.all([call, behind]), ['H:vm:1', 'H:vm:2']);
  });

  it('because it is another echo destroys the connection', async (t) => {
    const { client, connection } = await proven(t);
    const ping = client.ping();
    await connection.received(2);
    connection.send(echoRes(Buffer.from('pong')));
    const [result] = await ping;
    assert.equal(result?.error?.code, 'GEARMAN_LOST_CONNECTION');
    assert.ok(result.error.cause instanceof GearmanProtocolError);
  });

  it('because it is about another unique ID destroys the connection', async (t) => {
    const { client, peer, connection } = await proven(t);
    const call = client.jobStatusByUnique('u', { server: peer.name });
    await connection.received(2);
    connection.send(statusResUnique('v'));
    await assertDestroyed(call, 'GEARMAN_UNEXPECTED_PACKET');
  });

  it('leaves what was answered before in the same chunk alone', async (t) => {
    const { client, connection } = await proven(t);
    const [good, bad] = [client.doBackground('f', 'a'), client.doBackground('f', 'b')];
    await connection.received(3);
    connection.send(jobCreated('H:a'), statusRes('H:proof'), jobCreated('H:b'));
    assert.equal(await good, 'H:a');
    await assertDestroyed(bad, 'GEARMAN_UNEXPECTED_PACKET');
  });

  it('names the option when it is the size that does not fit', async (t) => {
    const { client, connection } = await proven(t, { maxPacketSize: 1000 });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    connection.send(anyPacket(TYPE.WORK_DATA, 20_000).subarray(0, 12));
    const error = await assertDestroyed(call, 'GEARMAN_DATA_TOO_LARGE');
    assert.match(error.message, /maxPacketSize/);
  });
});

describe('a connection', () => {
  it('is not opened before it is needed', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    await settleDown();
    assert.equal(peer.connections.length, 0);
    assert.equal(stateOf(client, peer).state, 'idle');
    await client.doBackground('f', 'w');
    assert.equal(peer.connections.length, 1);
  });

  it('sends nothing that was not asked for: a mock of SUBMIT_JOB_BG and GET_STATUS is enough', async (t) => {
    const peer = await Peer.start(t, serveTheLeast);
    const client = clientOf(t, [peer]);
    const handles = await Promise.all(indexes(50).map(() => client.doBackground('f', 'w')));
    peer.statuses.set(String(handles[0]), [true, true, 3, 14]);
    assert.deepEqual(await client.jobStatus(String(handles[0])), [true, true, 3, 14]);
    assert.deepEqual(await client.jobStatus('H:stranger:1'), [false, false, 0, 0]);
    for await (const { known } of client.watch(String(handles[1]))) assert.equal(known, false);
    await client.close();
    assert.equal(peer.connections.length, 1);
    assert.equal(peer.requests.length, 53);
  });

  it('hands what is asked in one tick to its socket in one write', async (t) => {
    const peer = await Peer.start(t, serve);
    const writes: number[] = [];
    const client = clientOf(
      t,
      [peer],
      {},
      {
        ...nodeRuntime,
        connect: (target, onUp) => {
          const socket = nodeRuntime.connect(target, onUp);
          const write = socket.write.bind(socket) as (chunk: Uint8Array) => boolean;
          t.mock.method(socket, 'write', (chunk: Uint8Array) => {
            writes.push(chunk.byteLength);
            return write(chunk);
          });
          return socket;
        },
      },
    );
    await client.doBackground('f', 'w');
    await Promise.all(indexes(20).map(() => client.doBackground('f', 'w')));
    assert.equal(peer.requests.length, 21);
    assert.equal(writes.length, 2);
  });

  it('that the server resets is lost, with the system error as cause', async (t) => {
    const { client, connection } = await proven(t);
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    connection.reset();
    const error = await rejection(call, 'GEARMAN_LOST_CONNECTION');
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNRESET');
  });

  it('that the server half closes is lost, though it could still be written to', async (t) => {
    const { client, connection } = await proven(t);
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    connection.end();
    await rejection(call, 'GEARMAN_LOST_CONNECTION');
    await connection.closed;
  });

  it('is closed by close() even if the server never closes its half', async (t) => {
    const { client, connection } = await proven(t);
    connection.closesItsHalf = false;
    await client.close();
    await new Promise((resolve) => connection.socket.once('end', resolve));
    assert.equal(connection.socket.destroyed, false);
  });

  it('waits for room in the socket when the server does not read, and keeps the rest in the client', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer], { timeout: Infinity });
    await client.doBackground('f', 'proof');
    const connection = await peer.connection(0);
    connection.freeze();
    const workload = Buffer.alloc(1024 * 1024);
    const calls = indexes(64).map(() => client.doBackground('f', workload));
    await settleDown();
    const { inFlight, waiting } = stateOf(client, peer);
    assert.equal(inFlight + waiting, 64);
    assert.ok(waiting > 32, `${waiting} wait in the client`);
    connection.thaw();
    assert.equal(new Set(await Promise.all(calls)).size, 64);
    assert.deepEqual(new Set(connection.requests.slice(1).map(({ data }) => data.length)), new Set([workload.length]));
  });

  it('to a server that takes everything and reads nothing ends with its heartbeat', async (t) => {
    const { client, clock, peer, connection } = await proven(t, { heartbeat: 1000 });
    connection.freeze();
    const call = client.doBackground('f', 'w');
    await settleDown();
    peer.follow(freeze);
    clock.advance(2000);
    const error = await rejection(call, 'GEARMAN_LOST_CONNECTION');
    assert.match(error.message, /no sign of life/);
    assert.equal(error.maybeSubmitted, true);
    await untilState(client, peer, 'paused');
  });
});
