/** A job server that comes and goes: proof, pauses, trials, doubt and heartbeat. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import { clientOf, isPending, proven, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, dieOnRequest, echoRes, errorPacket, jobCreated, serve, type PeerConnection } from '../support/peer.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const uniques = (requests: readonly { args: readonly string[] }[]): (string | undefined)[] =>
  requests.map(({ args }) => args[1]);

/** Answers the requests of a connection from `from` on. */
function acknowledge(connection: PeerConnection, from: number, count: number): void {
  connection.send(...indexes(count).map((index) => jobCreated(`H:${from + index}`)));
}

describe('a connection that has not been proven', () => {
  it('is the only one, and carries one request, however many calls wait', async (t) => {
    const peer = await Peer.start(t, silent);
    const client = clientOf(t, [peer]);
    const calls = indexes(10).map((index) => client.doBackground('f', String(index)));
    const connection = await peer.connection(0);
    await connection.received(1);
    await settleDown();
    const { state, inFlight, waiting } = stateOf(client, peer);
    assert.deepEqual({ state, inFlight, waiting }, { state: 'proving', inFlight: 1, waiting: 9 });
    assert.equal(connection.requests.length, 1);

    acknowledge(connection, 0, 1);
    await connection.received(10);
    assert.equal(stateOf(client, peer).state, 'up');
    acknowledge(connection, 1, 9);
    assert.deepEqual(
      await Promise.all(calls),
      indexes(10).map((index) => `H:${index}`),
    );
    assert.equal(peer.connections.length, 1);
  });

  it('is proven by an ERROR, too', async (t) => {
    const peer = await Peer.start(t, silent);
    const client = clientOf(t, [peer]);
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SERVER_ERROR');
    const connection = await peer.connection(0);
    await connection.received(1);
    connection.send(errorPacket());
    await call;
    assert.equal(stateOf(client, peer).state, 'up');
  });

  it('lets go of what waits behind its request after connectTimeout, and that request keeps its deadline', async (t) => {
    const [frozen, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [frozen, other], { connectTimeout: 1000, timeout: 1800 }, clock);
    const [written, ...waiting] = indexes(5).map((index) => client.doBackground('f', 'w', `u${index}`));
    assert.ok(written !== undefined);
    const connection = await frozen.connection(0);
    await connection.received(1);
    clock.advance(999);
    assert.equal(await isPending(Promise.race(waiting)), true);
    clock.advance(1);
    await Promise.all(waiting);
    assert.deepEqual(uniques(other.requests), ['u1', 'u2', 'u3', 'u4']);
    const { state, lastError } = stateOf(client, frozen);
    assert.equal(state, 'paused');
    assert.match(lastError?.message ?? '', /accepted a connection and did not answer within 1000 ms/);

    assert.equal(await isPending(written), true);
    const late = rejection(written, 'GEARMAN_TIMEOUT');
    clock.advance(800);
    const error = await late;
    assert.deepEqual([error.server, error.unique, error.maybeSubmitted], [frozen.name, 'u0', true]);
  });

  it('may be proven late, and is used again then', async (t) => {
    const [slow, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [slow, other], { connectTimeout: 1000 }, clock);
    const written = client.doBackground('f', 'w', 'u0');
    const connection = await slow.connection(0);
    await connection.received(1);
    clock.advance(1000);
    await client.doBackground('f', 'w', 'u1');
    connection.send(jobCreated('H:late'));
    assert.equal(await written, 'H:late');
    assert.equal(stateOf(client, slow).state, 'up');
    const next = client.doBackground('f', 'w', 'u2');
    await connection.received(2);
    connection.send(jobCreated('H:next'));
    assert.equal(await next, 'H:next');
    assert.deepEqual(uniques(other.requests), ['u1']);
  });

  it('is not proven by what nobody asked for', async (t) => {
    const peer = await Peer.start(t, silent);
    const clock = new Clock();
    const client = clientOf(t, [peer], {}, clock);
    const calls = indexes(2).map(() => client.doBackground('f', 'w'));
    const connection = await peer.connection(0);
    await connection.received(1);
    connection.send(encode('RES', TYPE.NOOP));
    await clock.hasRead(connection.socket.bytesWritten);
    assert.equal(stateOf(client, peer).state, 'proving');
    acknowledge(connection, 0, 1);
    await connection.received(2);
    acknowledge(connection, 1, 1);
    await Promise.all(calls);
  });

  it('may answer when the next one is being proved, and is closed then', async (t) => {
    const peer = await Peer.start(t, silent);
    const clock = new Clock();
    const client = clientOf(t, [peer], { connectTimeout: 1000 }, clock);
    const first = client.doBackground('f', 'w', 'first');
    const old = await peer.connection(0);
    await old.received(1);
    clock.advance(1050);
    const second = client.doBackground('f', 'w', 'second');
    const young = await peer.connection(1);
    await young.received(1);
    old.send(jobCreated('H:first'));
    assert.equal(await first, 'H:first');
    await old.closed;
    assert.equal(stateOf(client, peer).state, 'proving');
    young.send(jobCreated('H:second'));
    assert.equal(await second, 'H:second');
    assert.equal(stateOf(client, peer).state, 'up');
  });

  it('is asked for nothing but what was called for while it is proved', async (t) => {
    const peer = await Peer.start(t, silent);
    const clock = new Clock();
    const client = clientOf(t, [peer], { connectTimeout: 1000, heartbeat: 5000 }, clock);
    const call = client.doBackground('f', 'w');
    const connection = await peer.connection(0);
    await connection.received(1);
    clock.advance(4000);
    connection.send(jobCreated('H:1'));
    await call;
    assert.deepEqual(connection.names, ['SUBMIT_JOB_BG']);
  });
});

describe('a server that fails', () => {
  it('is left alone for a pause that doubles, and that connecting does not end, only an answer', async (t) => {
    const peer = await Peer.start(t, dieOnRequest);
    const clock = new Clock();
    const client = clientOf(t, [peer], { backoff: { min: 100, max: 300 } }, clock);
    await rejection(client.doBackground('f', 'w'), 'GEARMAN_LOST_CONNECTION');
    for (const pause of [50, 100, 150, 150]) {
      const attempts = peer.connections.length;
      const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_LOST_CONNECTION');
      clock.advance(pause - 1);
      await settleDown();
      assert.equal(stateOf(client, peer).state, 'paused');
      assert.equal(peer.connections.length, attempts);
      clock.advance(1);
      await call;
      assert.equal(peer.connections.length, attempts + 1);
    }

    peer.follow(serve, dieOnRequest);
    const proof = client.doBackground('f', 'w');
    clock.advance(150);
    await proof;
    assert.equal(stateOf(client, peer).lastError, undefined);
    peer.connections.at(-1)?.reset();
    await untilState(client, peer, 'idle');
    await rejection(client.doBackground('f', 'w'), 'GEARMAN_LOST_CONNECTION');
    const attempts = peer.connections.length;
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_LOST_CONNECTION');
    clock.advance(50);
    await call;
    assert.equal(peer.connections.length, attempts + 1, 'the first pause again');
  });

  it('says why in lastError, until it works again', async (t) => {
    const [peer, other] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer, other], {}, clock);
    await client.doBackground('f', 'w');
    const { state, since, lastError, waiting, inFlight } = stateOf(client, peer);
    assert.deepEqual({ state, waiting, inFlight }, { state: 'paused', waiting: 0, inFlight: 0 });
    assert.equal(since.getTime(), clock.wallClock());
    assert.match(lastError?.message ?? '', /ECONNREFUSED/);
    await peer.reopen();
    clock.advance(50);
    await client.doBackground('f', 'w');
    assert.deepEqual(
      [stateOf(client, peer).state, stateOf(client, peer).lastError, peer.requests.length],
      ['up', undefined, 1],
    );
  });

  it('gets nothing during the pause, and one request on trial after it; the others go to the next in rank at once', async (t) => {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer, other], {}, clock);
    await Promise.all(indexes(3).map((index) => client.doBackground('f', 'w', `a${index}`)));
    assert.deepEqual(uniques(other.requests), ['a0', 'a1', 'a2']);
    await client.doBackground('f', 'w', 'b');

    await peer.reopen();
    clock.advance(50);
    assert.equal(peer.connections.length, 0, 'nothing needs it yet');
    const [trial, ...others] = indexes(4).map((index) => client.doBackground('f', 'w', `c${index}`));
    await Promise.all(others);
    assert.deepEqual(uniques(other.requests), ['a0', 'a1', 'a2', 'b', 'c1', 'c2', 'c3']);
    const connection = await peer.connection(0);
    assert.deepEqual(uniques(await connection.received(1)), ['c0']);
    connection.send(jobCreated('H:0'));
    assert.equal(await trial, 'H:0');
    const back = client.doBackground('f', 'w', 'd');
    assert.equal((await connection.request(1)).args[1], 'd');
    connection.send(jobCreated('H:d'));
    await back;
  });

  it('on trial costs its one request at most connectTimeout when it does not even accept', async (t) => {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer, other], {}, clock);
    await client.doBackground('f', 'w', 'a');
    clock.advance(50);
    await client.doBackground('f', 'w', 'b');
    assert.deepEqual(uniques(other.requests), ['a', 'b']);
    assert.equal(stateOf(client, peer).state, 'paused');
  });
});

describe('a proven connection that closes', () => {
  it('is replaced at once, without a pause', async (t) => {
    const { client, peer, connection } = await proven(t, { maxInFlight: 1 });
    const [lost, waiting] = [
      rejection(client.doBackground('f', 'w', 'a'), 'GEARMAN_LOST_CONNECTION'),
      client.doBackground('f', 'w', 'b'),
    ];
    await connection.received(2);
    connection.end();
    assert.equal(await waiting, 'H:peer:1');
    await lost;
    assert.equal(peer.connections.length, 2);
  });

  it('is replaced when the next call comes, if nothing waits', async (t) => {
    const { client, peer, connection } = await proven(t);
    connection.reset();
    await untilState(client, peer, 'idle');
    assert.equal(peer.connections.length, 1);
    await client.doBackground('f', 'w');
    assert.equal(peer.connections.length, 2);
  });

  it('has resubmissions wait for the proof of the next connection, and then all stay', async (t) => {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [peer, other], { resubmit: true }, new Clock());
    const proof = client.doBackground('proof', '', 'proof');
    const first = await peer.connection(0);
    await first.received(1);
    acknowledge(first, 0, 1);
    await proof;
    const calls = indexes(5).map((index) => client.doBackground('f', 'w', `u${index}`));
    await first.received(6);
    first.end();
    const second = await peer.connection(1);
    await second.received(1);
    await settleDown();
    assert.deepEqual(uniques(second.requests), ['u0']);
    acknowledge(second, 0, 1);
    await second.received(5);
    acknowledge(second, 1, 4);
    await Promise.all(calls);
    assert.deepEqual(uniques(second.requests), ['u0', 'u1', 'u2', 'u3', 'u4']);
    assert.deepEqual(other.requests, []);
  });

  it('has resubmissions all move when the next connection fails, and the pause begins then', async (t) => {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [peer, other], { resubmit: true }, new Clock());
    const proof = client.doBackground('proof', '', 'proof');
    const first = await peer.connection(0);
    await first.received(1);
    acknowledge(first, 0, 1);
    await proof;
    const calls = indexes(5).map((index) => client.doBackground('f', 'w', `u${index}`));
    await first.received(6);
    peer.crash();
    await Promise.all(calls);
    assert.deepEqual(uniques(other.requests), ['u0', 'u1', 'u2', 'u3', 'u4']);
    assert.equal(stateOf(client, peer).state, 'paused');
  });

  it('has resubmissions move after connectTimeout when the proof does not come, but for the one that was written', async (t) => {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [peer, other], { resubmit: true, connectTimeout: 1000 }, clock);
    const proof = client.doBackground('proof', '', 'proof');
    const first = await peer.connection(0);
    await first.received(1);
    acknowledge(first, 0, 1);
    await proof;
    const [written, ...calls] = indexes(4).map((index) => client.doBackground('f', 'w', `u${index}`));
    await first.received(5);
    first.end();
    const second = await peer.connection(1);
    await second.received(1);
    clock.advance(1000);
    await Promise.all(calls);
    assert.deepEqual(uniques(other.requests), ['u1', 'u2', 'u3']);
    second.send(jobCreated('H:0'));
    assert.equal(await written, 'H:0');
  });
});

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
});

describe('maxInFlight', () => {
  it('limits what is not answered; the rest waits in the client', async (t) => {
    const { client, peer, connection } = await proven(t, { maxInFlight: 3 });
    const calls = indexes(10).map(() => client.doBackground('f', 'w'));
    for (const answered of indexes(7)) {
      await connection.received(4 + answered);
      await settleDown();
      assert.equal(connection.requests.length, 4 + answered);
      const { inFlight, waiting } = stateOf(client, peer);
      assert.deepEqual([inFlight, waiting], [3, 7 - answered]);
      acknowledge(connection, answered, 1);
    }
    await connection.received(11);
    acknowledge(connection, 7, 3);
    await Promise.all(calls);
  });

  it('counts calls that have timed out until they are answered', async (t) => {
    const { client, clock, connection } = await proven(t, { maxInFlight: 2 });
    const short = indexes(2).map(() => rejection(client.doBackground('f', 'w', { timeout: 5 }), 'GEARMAN_TIMEOUT'));
    const next = client.doBackground('f', 'w', 'next');
    await connection.received(3);
    clock.advance(5);
    await Promise.all(short);
    const echo = await connection.request(3);
    assert.equal(echo.name, 'ECHO_REQ');
    await settleDown();
    assert.equal(connection.requests.length, 4);
    acknowledge(connection, 0, 2);
    connection.send(echoRes(echo.data));
    assert.equal((await connection.request(4)).args[1], 'next');
    connection.send(jobCreated('H:next'));
    assert.equal(await next, 'H:next');
  });

  it('does not count a call that was aborted before it was written', async (t) => {
    const { client, peer, connection } = await proven(t, { maxInFlight: 1 });
    const abort = new AbortController();
    const first = client.doBackground('f', 'w', 'first');
    const gone = rejection(client.doBackground('f', 'w', { unique: 'gone', signal: abort.signal }), 'GEARMAN_ABORTED');
    const last = client.doBackground('f', 'w', 'last');
    await connection.received(2);
    abort.abort();
    assert.equal((await gone).maybeSubmitted, false);
    assert.equal(stateOf(client, peer).waiting, 1);
    acknowledge(connection, 0, 1);
    await first;
    assert.equal((await connection.request(2)).args[1], 'last');
    acknowledge(connection, 1, 1);
    await last;
  });

  it('full, has a call that was never written time out with maybeSubmitted: false', async (t) => {
    const { client, clock, connection, peer } = await proven(t, { maxInFlight: 1, timeout: Infinity });
    const first = client.doBackground('f', 'w', 'first');
    const late = rejection(client.doBackground('f', 'w', { unique: 'late', timeout: 200 }), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(200);
    const error = await late;
    assert.equal(error.maybeSubmitted, false);
    assert.equal(error.unique, 'late');
    assert.match(error.message, new RegExp(`no job server had room within 200 ms \\(${peer.name}\\)`));
    assert.equal(stateOf(client, peer).state, 'up', 'which throws no doubt on the server');
    acknowledge(connection, 0, 1);
    await first;
    assert.deepEqual(connection.names, ['SUBMIT_JOB_BG', 'SUBMIT_JOB_BG']);
  });
});
