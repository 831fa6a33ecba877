/** A pool of job servers: who gets what, in which order, and where it goes when that server cannot have it. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { RouteFunction } from '../../src/transport/routing.js';
import { clientOf, isPending, proven, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, freeze, hangUp, jobCreated, serve, statusRes } from '../support/peer.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const uniques = ({ requests }: { requests: readonly { args: readonly string[] }[] }): (string | undefined)[] =>
  requests.map(({ args }) => args[1]);

describe('a pool with a server that cannot be used', () => {
  for (const [how, script] of [
    ['refuses', undefined],
    ['resets every connection before it was written to', hangUp],
  ] as const) {
    it(`serves all jobs with the others when one ${how}`, async (t) => {
      const [bad, good] = [await Peer.start(t, script ?? silent), await Peer.start(t, serve)];
      if (script === undefined) bad.refuse();
      const client = clientOf(t, [bad, good], { resubmit: script !== undefined }, new Clock());
      const handles = await Promise.all(indexes(20).map(() => client.doBackground('f', 'w')));
      assert.equal(new Set(handles).size, 20);
      assert.equal(good.requests.length, 20);
      assert.equal(stateOf(client, bad).state, 'paused');
      assert.equal(stateOf(client, good).state, 'up');
    });
  }

  it('serves all jobs but one with the others when one is stopped', async (t) => {
    const [stopped, good] = [await Peer.start(t, freeze), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [stopped, good], { connectTimeout: 500, timeout: 900 }, clock);
    const [written, ...others] = indexes(20).map((index) => client.doBackground('f', 'w', `u${index}`));
    const late = rejection(Promise.resolve(written), 'GEARMAN_TIMEOUT');
    await untilState(client, stopped, 'proving');
    await settleDown();
    clock.advance(500);
    await Promise.all(others);
    await client.doBackground('f', 'w', 'later');
    assert.equal(good.requests.length, 20);
    clock.advance(400);
    assert.equal((await late).maybeSubmitted, true);
  });

  it('asks all again and again until the deadline, and says what was wrong with each', async (t) => {
    const [a, b] = [await Peer.start(t), await Peer.start(t)];
    a.refuse();
    b.refuse();
    const clock = new Clock();
    const client = clientOf(t, [a, b], { timeout: 1000 }, clock);
    const call = rejection(client.doBackground('f', 'w', 'u'), 'GEARMAN_COULD_NOT_CONNECT');
    await clock.advanceUntil(call);
    const error = await call;
    assert.deepEqual([error.function, error.unique, error.maybeSubmitted], ['f', 'u', false]);
    assert.ok(error.cause instanceof AggregateError);
    assert.deepEqual(
      error.cause.errors.map((cause) => (cause as { server?: string }).server),
      [a.name, b.name],
    );
    assert.match(error.message, new RegExp(`${a.name}.*ECONNREFUSED.*${b.name}.*ECONNREFUSED`));
    assert.equal(clock.now(), 1000);
  });

  it('finds the server that comes back before the deadline', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    a.refuse();
    b.refuse();
    const clock = new Clock();
    const client = clientOf(t, [a, b], {}, clock);
    const calls = Promise.all(indexes(5).map(() => client.doBackground('f', 'w')));
    await untilState(client, a, 'paused');
    await untilState(client, b, 'paused');
    await b.reopen();
    await clock.advanceUntil(calls);
    assert.equal(b.requests.length, 5);
  });

  it('connects to each server once at a time, however many calls wait', async (t) => {
    const peer = await Peer.start(t, silent);
    const clock = new Clock();
    const client = clientOf(t, [peer], {}, clock);
    const calls = indexes(100).map(() => client.doBackground('f', 'w'));
    for (const call of calls) call.catch(() => undefined);
    await (await peer.connection(0)).received(1);
    clock.advance(2000);
    await settleDown();
    assert.equal(peer.connections.length, 1);
  });

  it('keeps the faults of one server from the requests of another', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, silent)];
    const client = clientOf(t, [a, b]);
    const onA = rejection(client.doBackground('f', 'w', { server: a.name }), 'GEARMAN_LOST_CONNECTION');
    const onB = client.doBackground('f', 'w', { server: b.name });
    const [toA, toB] = [await a.connection(0), await b.connection(0)];
    await Promise.all([toA.received(1), toB.received(1)]);
    toA.send(statusRes('H:nonsense'));
    await onA;
    assert.equal(await isPending(onB), true);
    toB.send(jobCreated('H:b'));
    assert.equal(await onB, 'H:b');
  });
});

describe('the order of calls', () => {
  it('is kept by all that wait for one server', async (t) => {
    const { client, connection } = await proven(t, { maxInFlight: 4 });
    const calls = indexes(50).map((index) => client.doBackground('f', 'w', `u${index}`));
    for (const index of indexes(50)) {
      await connection.received(2 + index);
      connection.send(jobCreated(`H:${index}`));
    }
    await Promise.all(calls);
    assert.deepEqual(
      uniques(connection).slice(1),
      indexes(50).map((index) => `u${index}`),
    );
  });

  it('is kept when they move to another server, among those that wait there already', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, silent)];
    const clock = new Clock();
    const client = clientOf(t, [a, b], { connectTimeout: 1000, timeout: Infinity, heartbeat: 60_000 }, clock);
    const calls = indexes(10).map((index) =>
      client.doBackground('f', 'w', { unique: `u${index}`, ...(index % 3 === 1 ? { server: b.name } : {}) }),
    );
    for (const call of calls) call.catch(() => undefined);
    const [toA, toB] = [await a.connection(0), await b.connection(0)];
    await Promise.all([toA.received(1), toB.received(1)]);
    // Both wait for their first answer: u0 is on its way to the one, u1 to the other.
    clock.advance(999);
    toB.send(jobCreated('H:1'));
    await calls[1];
    await toB.received(3);
    clock.advance(1);
    await toB.received(9);
    assert.deepEqual(uniques(toB), ['u1', 'u4', 'u7', 'u2', 'u3', 'u5', 'u6', 'u8', 'u9']);
    assert.deepEqual(uniques(toA), ['u0']);
  });

  it('is kept when they wait behind calls that were made later', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, silent)];
    const clock = new Clock();
    const client = clientOf(t, [a, b], { connectTimeout: 1000, timeout: Infinity, heartbeat: 60_000 }, clock);
    const pinned = { server: b.name };
    const proof = client.doBackground('f', 'w', { unique: 'proof', ...pinned });
    const toB = await b.connection(0);
    await toB.received(1);
    clock.advance(10);
    const calls = [
      client.doBackground('f', 'w', 'u0'),
      client.doBackground('f', 'w', 'u1'),
      client.doBackground('f', 'w', { unique: 'u2', ...pinned }),
      client.doBackground('f', 'w', 'u3'),
      client.doBackground('f', 'w', { unique: 'u4', ...pinned }),
    ];
    for (const call of calls) call.catch(() => undefined);
    // The port is refused to the next attempt, so that u0, u1 and u3 move while u2 and u4 wait for the proof of the other.
    a.crash();
    await untilState(client, a, 'paused');
    await settleDown();
    toB.send(jobCreated('H:proof'));
    await proof;
    const moved = uniques({ requests: (await toB.received(5)).slice(1) });
    assert.deepEqual(moved, moved.toSorted());
  });
});

describe('the order of calls to a server on trial', () => {
  /** A server that has failed, and then comes up so slowly that the test says when: calls 2 and 3 wait behind 1, its trial. */
  async function onTrial(t: TestContext, end: 'abort' | 'timeout') {
    const peer = await Peer.start(t, serve);
    peer.refuse();
    const clock = new Clock();
    const connect = clock.connect.bind(clock);
    const ups: (() => void)[] = [];
    clock.connect = (target, onUp) => connect(target, () => void ups.push(onUp));
    const client = clientOf(t, [peer], {}, clock);
    await client.ping();
    await peer.reopen();
    clock.advance(50);
    const abort = new AbortController();
    const limits = end === 'abort' ? { signal: abort.signal } : { timeout: 20 };
    const trial = client.doBackground('f', 'w', { unique: '1', ...limits }).catch(String);
    const calls = ['2', '3'].map((unique) => client.doBackground('f', 'w', unique));
    await peer.connection(0);
    await settleDown();
    assert.equal(stateOf(client, peer).state, 'connecting');
    return {
      ...{ peer, client, calls },
      up: () => {
        for (const onUp of ups.splice(0)) onUp();
      },
      end: async () => {
        if (end === 'abort') abort.abort();
        else clock.advance(20);
        await trial;
      },
    };
  }

  for (const end of ['abort', 'timeout'] as const) {
    it(`is kept although the trial ends (${end}) before it is written: nobody takes its place before his turn`, async (t) => {
      const { peer, client, calls, up, end: endTrial } = await onTrial(t, end);
      await endTrial();
      calls.push(client.doBackground('f', 'w', '4'), client.doBackground('f', 'w', '5'));
      up();
      await Promise.all(calls);
      assert.deepEqual(uniques(peer), ['2', '3', '4', '5']);
    });

    it(`is kept although the trial ends (${end}) as it comes up`, async (t) => {
      const { peer, client, calls, up, end: endTrial } = await onTrial(t, end);
      up();
      await endTrial();
      calls.push(client.doBackground('f', 'w', '4'));
      await Promise.all(calls);
      assert.deepEqual(
        uniques(peer).filter((unique) => unique !== '1'),
        ['2', '3', '4'],
      );
    });
  }

  it('is that of the calls, of which the one on trial does not come back behind those that wait', async (t) => {
    const { peer, client, calls, up, end } = await onTrial(t, 'abort');
    await end();
    // A ping goes first, for it is about the server and not about its jobs.
    const ping = client.ping();
    calls.push(client.doBackground('f', 'w', '4'));
    up();
    await Promise.all(calls);
    assert.equal((await ping)[0]?.error, undefined);
    assert.deepEqual(uniques({ requests: peer.requests.filter(({ name }) => name === 'SUBMIT_JOB_BG') }), [
      '2',
      '3',
      '4',
    ]);
  });
});

describe('removing a server', () => {
  it('moves the calls that wait for it', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b]);
    const [written, ...waiting] = indexes(4).map((index) => client.doBackground('f', 'w', `u${index}`));
    const connection = await a.connection(0);
    await connection.received(1);
    assert.equal(client.removeServer(a.name), client);
    await Promise.all(waiting);
    assert.deepEqual(uniques(b), ['u1', 'u2', 'u3']);

    assert.equal(await isPending(Promise.resolve(written)), true);
    connection.send(jobCreated('H:written'));
    assert.equal(await written, 'H:written');
    await connection.closed;
    assert.deepEqual(
      client.servers.map(({ name }) => name),
      [b.name],
    );
  });

  it('moves them while it is being connected to, and while it is left alone', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b], {}, new Clock());
    const call = client.doBackground('f', 'w');
    client.removeServer(a.name);
    await call;
    assert.equal(b.requests.length, 1);

    a.refuse();
    client.addServer('127.0.0.1', a.port);
    const pinned = client.doBackground('f', 'w', { server: a.name });
    const refused = rejection(pinned, 'GEARMAN_COULD_NOT_CONNECT');
    await untilState(client, a, 'paused');
    client.removeServer(a.name);
    const error = await refused;
    assert.equal(error.maybeSubmitted, false);
    assert.match(error.message, /was removed from the pool/);
  });

  it('closes a connection on which nothing is pending at once', async (t) => {
    const { client, peer, connection } = await proven(t);
    client.removeServer(peer.name);
    await connection.closed;
    assert.deepEqual(client.servers, []);
  });

  it('leaves the lost calls of its connection lost', async (t) => {
    const { client, peer, connection } = await proven(t);
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_LOST_CONNECTION');
    await connection.received(2);
    client.removeServer(peer.name);
    connection.end();
    assert.equal((await call).maybeSubmitted, true);
  });

  it('submits again elsewhere what may be submitted again', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b], { resubmit: true });
    const call = client.doBackground('f', 'w', 'u');
    const connection = await a.connection(0);
    await connection.received(1);
    client.removeServer(a.name);
    connection.end();
    await call;
    assert.deepEqual(uniques(b), ['u']);
  });

  it('that was the last one rejects what waits, and what comes', async (t) => {
    const peer = await Peer.start(t, silent);
    const client = clientOf(t, [peer]);
    const written = client.doBackground('f', 'w', 'u0');
    const waiting = rejection(client.doBackground('f', 'w', 'u1'), 'GEARMAN_NO_SERVERS');
    const connection = await peer.connection(0);
    await connection.received(1);
    client.removeServer(peer.name);
    const error = await waiting;
    assert.deepEqual([error.unique, error.maybeSubmitted], ['u1', false]);
    await rejection(client.doBackground('f', 'w'), 'GEARMAN_NO_SERVERS');
    await rejection(client.jobStatus('H:1'), 'GEARMAN_NO_SERVERS');
    await rejection(client.jobStatusByUnique('u'), 'GEARMAN_NO_SERVERS');
    await rejection(client.ping(), 'GEARMAN_NO_SERVERS');
    connection.send(jobCreated('H:0'));
    assert.equal(await written, 'H:0');
  });

  it('gives the calls that nobody could take to a server that is added', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    a.refuse();
    const client = clientOf(t, [a], {}, new Clock());
    const call = client.doBackground('f', 'w');
    await untilState(client, a, 'paused');
    client.addServer('127.0.0.1', b.port);
    await call;
    assert.equal(b.requests.length, 1);
  });
});

describe('an event loop that stood still', () => {
  it('times nothing out whose answer was there', async (t) => {
    const { client, clock, connection } = await proven(t, { timeout: 5000 });
    const calls = indexes(500).map(() => client.doBackground('f', 'w'));
    await connection.received(501);
    connection.send(...indexes(500).map((index) => jobCreated(`H:${index}`)));
    clock.stall(60_000);
    assert.equal((await Promise.all(calls)).length, 500);
  });

  it('times nothing out in the real time, either', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer], { timeout: 1000, heartbeat: 500, connectTimeout: 500 });
    await client.doBackground('f', 'w');
    const connection = await peer.connection(0);
    connection.onRequest = silent;
    const calls = indexes(1000).map(() => client.doBackground('f', 'w'));
    await connection.received(1001);
    connection.send(...indexes(1000).map((index) => jobCreated(`H:${index}`)));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
    assert.equal((await Promise.all(calls)).length, 1000);
    assert.equal(peer.connections.length, 1);
  });

  it('moves deadlines by as long', async (t) => {
    const { client, clock, connection } = await proven(t, { timeout: 1000, heartbeat: 60_000 });
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(400);
    clock.stall(60_000);
    await settleDown();
    // The sweep was due at most 100 ms after the last one.
    clock.advance(499);
    assert.equal(await isPending(call), true);
    clock.advance(101);
    await call;
  });

  it('throws no doubt on a server', async (t) => {
    const { client, clock, connection, peer } = await proven(t, { timeout: 10_000, heartbeat: 1000 });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    clock.advance(800);
    clock.stall(60_000);
    await settleDown();
    assert.equal(stateOf(client, peer).state, 'up');
    connection.send(jobCreated('H:1'));
    assert.equal(await call, 'H:1');
    assert.deepEqual(connection.names, ['SUBMIT_JOB_BG', 'SUBMIT_JOB_BG']);
  });
});

describe('routing', () => {
  it('by unique ID brings equal IDs of all clients to one server, and to the next in rank while that is down', async (t) => {
    const peers = [await Peer.start(t, serve), await Peer.start(t, serve), await Peer.start(t, serve)];
    const clients = [
      clientOf(t, peers, { routing: 'by-unique' }),
      clientOf(t, peers.toReversed(), { routing: 'by-unique' }),
    ];
    const submitAll = (): Promise<unknown> =>
      Promise.all(clients.flatMap((client) => indexes(60).map((index) => client.doBackground('f', 'w', `u${index}`))));
    await submitAll();
    const placed = peers.map((peer) => new Set(uniques(peer)));
    assert.equal(
      placed.reduce((sum, { size }) => sum + size, 0),
      60,
      'no ID is on two servers',
    );
    for (const { size } of placed) assert.ok(size >= 8, `one has ${size} of 60`);

    const [dead, ...alive] = peers;
    const before = alive.map(({ requests }) => requests.length);
    dead?.crash();
    for (const client of clients) await untilState(client, dead ?? peers[0] ?? { name: '' }, 'idle');
    await submitAll();
    const now = alive.map((peer, index) => uniques(peer).slice(before[index]));
    assert.equal(new Set(now.flat()).size, 60);
    assert.equal(
      now.reduce((sum, list) => sum + new Set(list).size, 0),
      60,
    );
    for (const [index, list] of now.entries())
      for (const unique of placed[index + 1] ?? []) assert.ok(list.includes(unique), 'what was there stays there');
  });

  it('round robin takes turns', async (t) => {
    const peers = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const client = clientOf(t, peers, { routing: 'round-robin' });
    await Promise.all(indexes(10).map(() => client.doBackground('f', 'w')));
    assert.deepEqual(
      peers.map(({ requests }) => requests.length),
      [5, 5],
    );
  });

  it('by a function follows its order, and then that of the list', async (t) => {
    const peers = [await Peer.start(t, serve), await Peer.start(t, serve), await Peer.start(t, serve)];
    const seen: unknown[] = [];
    const routing: RouteFunction = (job, servers) => {
      seen.push(job);
      return [servers[2] ?? ''];
    };
    const client = clientOf(t, peers, { routing, prefix: 'p:' }, new Clock());
    await client.doBackground('f', 'secret', 'u');
    assert.deepEqual(seen, [{ function: 'p:f', unique: 'u' }]);
    peers[2]?.refuse();
    peers[2]?.connections[0]?.reset();
    await untilState(client, peers[2] ?? { name: '' }, 'idle');
    await client.doBackground('f', 'w', 'v');
    assert.deepEqual(
      peers.map(({ requests }) => requests.length),
      [1, 0, 1],
    );
  });

  it('by a function that throws or returns no list rejects that call alone', async (t) => {
    const peers = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const cause = new Error('bad route');
    const client = clientOf(t, peers, {
      routing: ({ unique }, servers) => {
        if (unique === 'throws') throw cause;
        return unique === 'nothing' ? (undefined as unknown as string[]) : servers;
      },
    });
    const error = await rejection(client.doBackground('f', 'w', 'throws'), 'GEARMAN_INVALID_ARGUMENT');
    assert.equal(error.cause, cause);
    assert.equal(error.maybeSubmitted, false);
    await rejection(client.doBackground('f', 'w', 'nothing'), 'GEARMAN_INVALID_ARGUMENT');
    await client.doBackground('f', 'w', 'good');
    assert.equal(peers[0]?.requests.length, 1);
    await client.close();
  });

  it('goes to another server only while the one that was named is not', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [a, b], {}, clock);
    b.refuse();
    const call = client.doBackground('f', 'w', { server: b.name });
    await untilState(client, b, 'paused');
    await b.reopen();
    await clock.advanceUntil(call);
    assert.deepEqual([a.requests.length, b.requests.length], [0, 1]);
    await client.ping({ server: b.name });
    assert.deepEqual(b.names, ['SUBMIT_JOB_BG', 'ECHO_REQ']);
  });
});
