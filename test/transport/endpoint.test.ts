/** A job server that comes and goes: proof, pauses, trials, doubt and heartbeat. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import { clientOf, isPending, proven, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, acknowledge, dieOnRequest, echoRes, errorPacket, freeze, jobCreated, serve } from '../support/peer.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const uniques = (requests: readonly { args: readonly string[] }[]): (string | undefined)[] =>
  requests.map(({ args }) => args[1]);

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

  it('is not given up while its server takes in what is sent, only when it stops taking', async (t) => {
    const [slow, other] = [await Peer.start(t, freeze), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [slow, other], { connectTimeout: 1000, heartbeat: 60_000, timeout: Infinity }, clock);
    const upload = client.doBackground('f', Buffer.alloc(48 * 1024 * 1024), 'upload');
    const behind = client.doBackground('f', 'w', 'behind');
    const connection = await slow.connection(0);
    const { socket } = connection;
    await settleDown();
    for (let second = 0; second < 6; second++) {
      // A few megabytes a second.
      const target = socket.bytesRead + 4 * 1024 * 1024;
      connection.thaw();
      while (socket.bytesRead < target) await new Promise((resolve) => setImmediate(resolve));
      connection.freeze();
      await settleDown();
      clock.advance(900);
      assert.equal(stateOf(client, slow).state, 'proving', `after ${clock.now()} ms`);
    }
    assert.equal(await isPending(behind), true);
    assert.deepEqual(other.requests, []);

    clock.advance(100);
    await behind;
    assert.deepEqual(uniques(other.requests), ['behind']);
    const { state, lastError } = stateOf(client, slow);
    assert.equal(state, 'paused');
    assert.match(lastError?.message ?? '', /accepted a connection and did not answer within 1000 ms/);

    // It has its own deadline still, and the server may go on.
    connection.onRequest = () => connection.send(jobCreated('H:upload'));
    connection.thaw();
    assert.equal(await upload, 'H:upload');
    assert.equal(stateOf(client, slow).state, 'up');
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
