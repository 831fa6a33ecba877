/** A server that says nothing while it owes an answer: doubt, the question for a sign of life, and the verdict. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
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
import { Clock } from '../support/clock.js';
import { Peer, acknowledge, echoRes, errorPacket, jobCreated, serve } from '../support/peer.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const uniques = (requests: readonly { args: readonly string[] }[]): (string | undefined)[] =>
  requests.map(({ args }) => args[1]);

describe('a connection in doubt', () => {
  it('is asked for an echo when a call has timed out on it, and that costs the others nothing', async (t) => {
    const { client, clock, peer, connection } = await proven(t);
    const short = rejection(client.doBackground('f', 'w', { timeout: 5 }), 'GEARMAN_TIMEOUT');
    const others = indexes(20).map(() => client.doBackground('f', 'w'));
    await connection.received(22);
    clock.advance(5);
    await short;
    assert.equal(stateOf(client, peer).state, 'suspect');
    const echo = await connection.request(22);
    assert.equal(echo.name, 'ECHO_REQ');
    acknowledge(connection, 0, 21);
    connection.send(echoRes(echo.data));
    assert.equal((await Promise.all(others)).at(-1), 'H:20');
    assert.equal(stateOf(client, peer).state, 'up');
    assert.equal(peer.connections.length, 1);
  });

  it('is asked once, however many calls time out', async (t) => {
    const { client, clock, connection } = await proven(t);
    const calls = indexes(3).map((index) =>
      rejection(client.doBackground('f', 'w', { timeout: 5 + index * 5 }), 'GEARMAN_TIMEOUT'),
    );
    await connection.received(4);
    clock.advance(20);
    await Promise.all(calls);
    await connection.received(5);
    await settleDown();
    assert.deepEqual(connection.names.slice(4), ['ECHO_REQ']);
  });

  it('is not in doubt once anything has come since, be it something that nobody asked for', async (t) => {
    const { client, clock, peer, connection } = await proven(t);
    const short = rejection(client.doBackground('f', 'w', { timeout: 5 }), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(5);
    await short;
    assert.equal(stateOf(client, peer).state, 'suspect');
    connection.send(jobCreated('H:late'));
    await untilState(client, peer, 'up');
    const next = client.doBackground('f', 'w');
    await connection.received(4);
    clock.advance(2999);
    connection.send(echoRes(Buffer.alloc(0)), jobCreated('H:next'));
    assert.equal(await next, 'H:next');
  });

  it('has jobs with an explicit unique ID wait, and the others go to the next in rank', async (t) => {
    const { client, clock, connection, other, peer } = await suspect(t);
    const sticky = client.doBackground('f', 'w', 'explicit');
    await client.doBackground('f', 'w');
    await client.doBackground('f', 'w', { unique: '' });
    assert.equal(other.requests.length, 2);
    assert.equal(await isPending(sticky), true);
    assert.equal(stateOf(client, peer).waiting, 1);

    clock.advance(2999);
    connection.send(jobCreated('H:timed-out'));
    const requests = await connection.received(4);
    assert.equal(requests[3]?.args[1], 'explicit');
    connection.send(echoRes(requests[2]?.data ?? Buffer.alloc(0)), jobCreated('H:explicit'));
    assert.equal(await sticky, 'H:explicit');
    assert.equal(other.requests.length, 2);
  });

  it('is destroyed when there is no sign of life within the heartbeat, and what waited moves', async (t) => {
    const { client, clock, connection, other, peer } = await suspect(t);
    const sticky = client.doBackground('f', 'w', 'explicit');
    clock.advance(2999);
    assert.equal(await isPending(sticky), true);
    clock.advance(1);
    await sticky;
    assert.deepEqual(uniques(other.requests), ['explicit']);
    assert.equal(stateOf(client, peer).state, 'paused');
    await connection.closed;
  });

  it('lets what waits for room go to the next in rank, but for explicit unique IDs', async (t) => {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [peer, other], { maxInFlight: 1 }, clock);
    const proof = client.doBackground('proof', '', 'proof');
    const connection = await peer.connection(0);
    await connection.received(1);
    acknowledge(connection, 0, 1);
    await proof;
    const short = rejection(client.doBackground('f', 'w', { timeout: 5 }), 'GEARMAN_TIMEOUT');
    const explicit = client.doBackground('f', 'w', 'explicit');
    const generated = client.doBackground('f', 'w');
    await connection.received(2);
    assert.equal(await isPending(generated), true);
    clock.advance(5);
    await short;
    await generated;
    assert.equal(other.requests.length, 1);
    assert.equal(await isPending(explicit), true);
  });

  it('gets what has waited for the verdict in the order of the calls', async (t) => {
    const { client, clock, connection } = await proven(t);
    const short = rejection(client.doBackground('f', 'w', { timeout: 5 }), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(5);
    await short;
    // Those with a unique ID of their own wait for this server, the others for any.
    const calls = indexes(8).map((index) =>
      client.doBackground('f', String(index), index % 2 === 0 ? `u${index}` : ''),
    );
    await settleDown();
    connection.send(jobCreated('H:late'), echoRes(Buffer.alloc(0)));
    const requests = await connection.received(11);
    assert.deepEqual(
      requests.slice(3).map(({ data }) => data.toString()),
      indexes(8).map(String),
    );
    acknowledge(connection, 0, 8);
    await Promise.all(calls);
  });

  it('rejects what was written to it when it is dead', async (t) => {
    const { client, clock, peer, connection } = await proven(t);
    const short = rejection(client.doBackground('f', 'w', { timeout: 5 }), 'GEARMAN_TIMEOUT');
    const other = rejection(client.doBackground('f', 'w'), 'GEARMAN_LOST_CONNECTION');
    await connection.received(3);
    clock.advance(5);
    await short;
    clock.advance(3000);
    const error = await other;
    assert.equal(error.maybeSubmitted, true);
    assert.match(error.message, /gave no sign of life for 3000 ms/);
    assert.equal(stateOf(client, peer).state, 'paused');
  });
});

/** A pool whose first server is in doubt: three requests came, of which the second timed out and the third asks for an echo. */
async function suspect(t: Parameters<typeof clientOf>[0]) {
  const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
  const clock = new Clock();
  const client = clientOf(t, [peer, other], {}, clock);
  const proof = client.doBackground('proof', '', 'proof');
  const connection = await peer.connection(0);
  await connection.received(1);
  acknowledge(connection, 0, 1);
  await proof;
  const short = rejection(client.doBackground('f', 'w', { timeout: 5 }), 'GEARMAN_TIMEOUT');
  await connection.received(2);
  clock.advance(5);
  await short;
  await connection.received(3);
  return { client, clock, connection, other, peer };
}

describe('the heartbeat', () => {
  it('asks for an echo after its time of silence while something is pending, again and again', async (t) => {
    const { client, clock, connection } = await proven(t, { heartbeat: 1000, timeout: Infinity });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    for (const beat of indexes(4)) {
      clock.advance(999);
      await settleDown();
      assert.equal(connection.requests.length, 2 + beat);
      clock.advance(1);
      const { name } = await connection.request(2 + beat);
      assert.equal(name, 'ECHO_REQ');
      // Anything that comes is a sign of life, and the echo itself is behind the answer that is late.
      connection.send(encode('RES', TYPE.NOOP));
      await clock.hasRead(connection.socket.bytesWritten);
    }
    connection.send(jobCreated('H:1'));
    assert.equal(await call, 'H:1');
  });

  it('counts from the last thing that came, whatever it was', async (t) => {
    const { client, clock, connection } = await proven(t, { heartbeat: 1000, timeout: Infinity });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    for (let beat = 0; beat < 5; beat++) {
      clock.advance(900);
      connection.send(encode('RES', TYPE.NOOP));
      await clock.hasRead(connection.socket.bytesWritten);
    }
    assert.deepEqual(connection.names, ['SUBMIT_JOB_BG', 'SUBMIT_JOB_BG']);
    connection.send(jobCreated('H:1'));
    assert.equal(await call, 'H:1');
  });

  it('destroys the connection after as long again', async (t) => {
    const { client, clock, connection, peer } = await proven(t, { heartbeat: 1000, timeout: Infinity });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    clock.advance(1000);
    await connection.received(3);
    clock.advance(999);
    assert.equal(await isPending(call), true);
    clock.advance(1);
    const error = await rejection(call, 'GEARMAN_LOST_CONNECTION');
    assert.match(error.message, /heartbeat/);
    assert.equal(error.maybeSubmitted, true);
    assert.equal(stateOf(client, peer).state, 'paused');
  });

  it('takes an ERROR for a sign of life, as from a server that does not know ECHO_REQ', async (t) => {
    const { client, clock, connection } = await proven(t, { heartbeat: 1000, timeout: Infinity });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    clock.advance(1000);
    await connection.received(3);
    connection.send(jobCreated('H:1'), errorPacket('INVALID_COMMAND', 'Command not expected'));
    assert.equal(await call, 'H:1');
    const next = client.doBackground('f', 'w');
    await connection.received(4);
    connection.send(jobCreated('H:2'));
    assert.equal(await next, 'H:2');
  });

  it('takes no slow upload for silence: a server cannot answer what it has not got', async (t) => {
    const { client, clock, connection } = await proven(t, { heartbeat: 1000, timeout: Infinity });
    const { socket } = connection;
    connection.freeze();
    const outcome = client.doBackground('f', Buffer.alloc(48 * 1024 * 1024), 'u').catch(String);
    await settleDown();
    for (let second = 0; second < 6; second++) {
      // A few megabytes a second.
      const target = socket.bytesRead + 4 * 1024 * 1024;
      while (socket.bytesRead < target && !socket.readableEnded && !socket.destroyed) {
        connection.thaw();
        await new Promise((resolve) => setImmediate(resolve));
        connection.freeze();
      }
      clock.advance(900);
    }
    connection.onRequest = ({ name, data }) => {
      connection.send(name === 'ECHO_REQ' ? echoRes(data) : jobCreated('H:1'));
    };
    connection.thaw();
    assert.equal(await outcome, 'H:1');
  });

  it('leaves a connection alone on which nothing is pending', async (t) => {
    const { client, clock, connection, peer } = await proven(t, { heartbeat: 1000 });
    clock.advance(60_000);
    await settleDown();
    assert.deepEqual(connection.names, ['SUBMIT_JOB_BG']);
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    clock.advance(999);
    connection.send(jobCreated('H:1'));
    assert.equal(await call, 'H:1');
    assert.deepEqual([connection.requests.length, peer.connections.length], [2, 1]);
  });

  describe('that a server leaves unanswered, because it does not know ECHO_REQ', () => {
    /** A connection on which the echo of a heartbeat is still pending, and nothing else: the call before it was answered late. */
    async function unanswered(t: Parameters<typeof proven>[0]) {
      const pool = await proven(t, { heartbeat: 1000, timeout: Infinity });
      const { client, clock, connection } = pool;
      const slow = client.doBackground('f', 'slow');
      await connection.received(2);
      clock.advance(1000);
      assert.equal((await connection.request(2)).name, 'ECHO_REQ');
      connection.send(jobCreated('H:slow'));
      assert.equal(await slow, 'H:slow');
      return pool;
    }

    it('does not end a connection on which nothing else is pending, however long', async (t) => {
      const { client, clock, connection, peer } = await unanswered(t);
      for (let second = 0; second < 60; second++) {
        clock.advance(1000);
        await settleDown();
      }
      assert.equal(stateOf(client, peer).state, 'up');
      assert.equal(stateOf(client, peer).lastError, undefined);
      assert.deepEqual(connection.names, ['SUBMIT_JOB_BG', 'SUBMIT_JOB_BG', 'ECHO_REQ'], 'it is not asked again');

      const next = client.doBackground('f', 'next');
      await connection.received(4);
      connection.send(jobCreated('H:next'));
      assert.equal(await next, 'H:next');
      assert.equal(peer.connections.length, 1);
    });

    it('gives the next call its whole time of silence', { timeout: 10_000 }, async (t) => {
      const { client, clock, connection } = await unanswered(t);
      clock.advance(60_000);
      const next = client.doBackground('f', 'next');
      await connection.received(4);
      clock.advance(999);
      await settleDown();
      assert.equal(connection.requests.length, 4);
      clock.advance(1);
      assert.equal((await connection.request(4)).name, 'ECHO_REQ');
      clock.advance(999);
      assert.equal(await isPending(next), true);
      connection.send(jobCreated('H:next'));
      assert.equal(await next, 'H:next');
    });

    it('does not save a server that does not answer the next call, either', { timeout: 10_000 }, async (t) => {
      const { client, clock, connection, peer } = await unanswered(t);
      clock.advance(60_000);
      const next = client.doBackground('f', 'next');
      await connection.received(4);
      clock.advance(1000);
      await connection.received(5);
      clock.advance(1000);
      const error = await rejection(next, 'GEARMAN_LOST_CONNECTION');
      assert.match(error.message, /gave no sign of life for 1000 ms/);
      assert.equal(stateOf(client, peer).state, 'paused');
    });

    it('shifts no answers', async (t) => {
      const { client, connection } = await unanswered(t);
      const calls = indexes(3).map((index) => client.doBackground('f', `${index}`));
      await connection.received(6);
      acknowledge(connection, 0, 3);
      assert.deepEqual(await Promise.all(calls), ['H:0', 'H:1', 'H:2']);
    });

    it('may be answered with an ERROR while it is alone, which is a sign of life and belongs to no call', async (t) => {
      const { client, clock, connection, peer } = await unanswered(t);
      connection.send(errorPacket('INVALID_COMMAND', 'Command not expected'));
      await clock.hasRead(connection.socket.bytesWritten);
      assert.equal(stateOf(client, peer).state, 'up');
      assert.equal(stateOf(client, peer).inFlight, 0);
      const refused = rejection(client.doBackground('f', 'full'), 'GEARMAN_SERVER_ERROR');
      const good = client.doBackground('f', 'good');
      await connection.received(5);
      connection.send(errorPacket(), jobCreated('H:good'));
      assert.equal((await refused).maybeSubmitted, false);
      assert.equal(await good, 'H:good');
    });

    for (const [what, answers] of [
      ['the next call is refused', [errorPacket(), jobCreated('H:y')]],
      [
        'it is refused late',
        [errorPacket('INVALID_COMMAND', 'Command not expected'), jobCreated('H:full'), jobCreated('H:y')],
      ],
    ] as const) {
      it(`and then an ERROR comes, be it that ${what}, ends the connection: no call gets the handle of another`, async (t) => {
        const { client, connection, peer } = await unanswered(t);
        const [full, y] = ['full', 'y'].map((unique) => client.doBackground('f', 'w', unique));
        await connection.received(5);
        connection.send(...answers);
        for (const [unique, call] of [
          ['full', full],
          ['y', y],
        ] as const) {
          const error = await assertDestroyed(Promise.resolve(call), 'GEARMAN_UNEXPECTED_PACKET');
          assert.deepEqual([error.unique, error.maybeSubmitted, error.server], [unique, true, peer.name]);
          assert.match(error.message, /may answer either an ECHO_REQ or what was asked next/);
        }
        await connection.closed;
      });
    }

    it('and behind which nothing but a call that was aborted is pending, ends the connection likewise', async (t) => {
      const { client, connection } = await unanswered(t);
      const abort = new AbortController();
      const gone = rejection(client.doBackground('f', 'w', { signal: abort.signal }), 'GEARMAN_ABORTED');
      await connection.received(4);
      abort.abort();
      await gone;
      connection.send(errorPacket());
      await connection.closed;
    });
  });
});
