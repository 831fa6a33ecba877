/** Callers who do something to the client while it asks them, or tells them something: routing functions and subscribers. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, it, type TestContext } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import type { GearmanClientOptions } from '../../src/client/options.js';
import type { ConnectionMessage } from '../../src/observe.js';
import { clientOf, isPending, proven, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, jobCreated, serve } from '../support/peer.js';

const silent = (): void => undefined;

/** What goes wrong here is that something stays pending. */
const LIMIT = { timeout: 10_000 };

/** Whatever is rejected and nobody looks at, which ends a process. */
function watchRejections(t: TestContext): unknown[] {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  return unhandled;
}

/** Does something once, at the first change of state that `test` holds for. Returns all changes. */
function onceTold(t: TestContext, test: (message: ConnectionMessage) => boolean, run: () => void): string[] {
  const told: string[] = [];
  let isDone = false;
  const listen = (message: unknown): void => {
    const change = message as ConnectionMessage;
    told.push(`${change.server} ${change.state}`);
    if (isDone || !test(change)) return;
    isDone = true;
    run();
  };
  subscribe('gearman:connection', listen);
  t.after(() => unsubscribe('gearman:connection', listen));
  return told;
}

describe('a routing function', () => {
  const ENDS: Readonly<Record<string, (abort: AbortController, client: GearmanClient) => readonly string[]>> = {
    'aborts its call and throws': (abort) => {
      abort.abort();
      throw new Error('no idea');
    },
    'aborts its call and returns no list': (abort) => {
      abort.abort();
      return undefined as unknown as string[];
    },
    'aborts its call and destroys the client': (abort, client) => {
      abort.abort();
      client.destroy();
      return [];
    },
    'aborts its call and closes the client': (abort, client) => {
      abort.abort();
      void client.close();
      return [];
    },
    'aborts its call and removes all servers': (abort, client) => {
      abort.abort();
      for (const { name } of client.servers) client.removeServer(name);
      return [];
    },
    'aborts its call': (abort) => {
      abort.abort();
      return [];
    },
  };
  for (const [what, end] of Object.entries(ENDS)) {
    it(`that ${what} has it rejected once, as aborted, and nothing is outstanding then`, LIMIT, async (t) => {
      const unhandled = watchRejections(t);
      const peers = [await Peer.start(t, serve), await Peer.start(t, serve)];
      const abort = new AbortController();
      const client = clientOf(t, peers, { routing: () => end(abort, client), timeout: Infinity }, new Clock());
      const error = await rejection(
        client.doBackground('f', 'w', { unique: 'u', signal: abort.signal }),
        'GEARMAN_ABORTED',
      );
      assert.deepEqual([error.unique, error.maybeSubmitted], ['u', false]);
      await settleDown();
      assert.deepEqual(unhandled, []);
      await client.close();
      assert.deepEqual(
        peers.flatMap(({ requests }) => requests),
        [],
      );
    });
  }

  it('that aborts its call and throws when that is routed again rejects it once, too', LIMIT, async (t) => {
    const unhandled = watchRejections(t);
    const peers = [await Peer.start(t, serve), await Peer.start(t, serve)];
    for (const peer of peers) peer.refuse();
    const abort = new AbortController();
    let routed = 0;
    const routing: GearmanClientOptions['routing'] = (_job, names) => {
      if (++routed < 3) return names;
      abort.abort();
      throw new Error('no idea');
    };
    const clock = new Clock();
    const client = clientOf(t, peers, { routing, timeout: Infinity }, clock);
    const call = rejection(client.doBackground('f', 'w', { signal: abort.signal }), 'GEARMAN_ABORTED');
    await clock.advanceUntil(call);
    await settleDown();
    assert.deepEqual(unhandled, []);
    assert.equal(routed, 3);
    await client.close();
  });

  it(
    'that aborts its call and throws leaves the count of calls right: the next one is waited for',
    LIMIT,
    async (t) => {
      const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, silent)];
      const abort = new AbortController();
      const routing: GearmanClientOptions['routing'] = ({ unique }, names) => {
        if (unique !== 'bad') return names;
        abort.abort();
        throw new Error('no idea');
      };
      const client = clientOf(t, [peer, other], { routing }, new Clock());
      await rejection(client.doBackground('f', 'w', { unique: 'bad', signal: abort.signal }), 'GEARMAN_ABORTED');
      const good = client.doBackground('f', 'w', 'good');
      const closed = client.close();
      const connection = await peer.connection(0);
      await connection.received(1);
      assert.equal(await isPending(closed), true);
      connection.send(jobCreated('H:good'));
      assert.equal(await good, 'H:good');
      await closed;
    },
  );
});

describe('a subscriber that destroys the client when a server is closed', () => {
  it('cuts what was written to that server, which is being removed', LIMIT, async (t) => {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const limits = { timeout: Infinity, heartbeat: Infinity };
    const client = clientOf(t, [peer, other], limits, new Clock());
    const written = rejection(client.doBackground('f', 'w', 'written'), 'GEARMAN_SHUTDOWN');
    const waiting = rejection(client.doBackground('f', 'w', 'waiting'), 'GEARMAN_SHUTDOWN');
    const connection = await peer.connection(0);
    await connection.received(1);
    onceTold(
      t,
      ({ server, state }) => server === peer.name && state === 'closed',
      () => client.destroy(),
    );
    client.removeServer(peer.name);
    const error = await written;
    assert.deepEqual([error.server, error.maybeSubmitted, error.unique], [peer.name, true, 'written']);
    assert.equal((await waiting).maybeSubmitted, false);
    await connection.closed;
    await client.close();
    assert.deepEqual(other.requests, []);
  });

  it('cuts what was written to all servers, when the client is being closed', LIMIT, async (t) => {
    const peers = [await Peer.start(t, silent), await Peer.start(t, silent)];
    const client = clientOf(t, peers, { timeout: Infinity, heartbeat: Infinity }, new Clock());
    const calls = peers.map(({ name: server }) =>
      rejection(client.doBackground('f', 'w', { server }), 'GEARMAN_SHUTDOWN'),
    );
    for (const peer of peers) await (await peer.connection(0)).received(1);
    onceTold(
      t,
      ({ state }) => state === 'closed',
      () => client.destroy(),
    );
    client.removeServer(peers[0]?.name ?? '');
    const closed = client.close();
    for (const error of await Promise.all(calls)) assert.equal(error.maybeSubmitted, true);
    await closed;
    for (const peer of peers) await (await peer.connection(0)).closed;
  });

  it('has its close() resolve only when the socket of that server is gone', LIMIT, async (t) => {
    const { client, connection, peer } = await proven(t);
    let closed: Promise<void> | undefined;
    onceTold(
      t,
      ({ state }) => state === 'closed',
      () => {
        closed = client.close();
      },
    );
    client.removeServer(peer.name);
    assert.ok(closed !== undefined, 'the subscriber was told');
    await closed;
    await connection.closed;
  });
});

describe('a subscriber that hears of a ping', () => {
  /** Two servers that are left alone after a failure. */
  async function paused(t: TestContext, count = 2) {
    const peers: Peer[] = [];
    for (let index = 0; index < count; index++) peers.push(await Peer.start(t, serve));
    for (const peer of peers) peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, peers, { timeout: Infinity }, clock);
    await client.ping();
    for (const peer of peers) assert.equal(stateOf(client, peer).state, 'paused');
    return { peers, clock, client };
  }

  for (const count of [1, 2]) {
    it(
      `and destroys the client has it settled at once for ${count} paused servers, though it has no timeout`,
      LIMIT,
      async (t) => {
        const unhandled = watchRejections(t);
        const { peers, clock, client } = await paused(t, count);
        const told = onceTold(
          t,
          () => true,
          () => client.destroy(),
        );
        const results = await client.ping();
        assert.deepEqual(
          results.map(({ server, error }) => [server, error?.code]),
          peers.map(({ name }) => [name, 'GEARMAN_SHUTDOWN']),
        );
        assert.equal(clock.now(), 0);
        await client.close();
        assert.deepEqual(unhandled, []);
        assert.equal(told.length > 0, true);
      },
    );

    it(`and closes the client has it finished all the same for ${count} paused servers`, LIMIT, async (t) => {
      const { client } = await paused(t, count);
      let closed: Promise<void> | undefined;
      onceTold(
        t,
        () => true,
        () => {
          closed = client.close();
        },
      );
      const results = await client.ping();
      assert.equal(results.length, count);
      assert.deepEqual(
        results.map(({ error }) => error instanceof Error),
        results.map(() => true),
      );
      await closed;
    });
  }

  it('and removes another server has a result for each, and nothing is outstanding then', LIMIT, async (t) => {
    const { peers, clock, client } = await paused(t);
    const [a, b] = peers;
    onceTold(
      t,
      ({ server }) => server === a?.name,
      () => client.removeServer(b?.name ?? ''),
    );
    const results = await client.ping();
    assert.deepEqual(
      results.map(({ server, error }) => [server, error?.code]),
      [
        [a?.name, 'GEARMAN_COULD_NOT_CONNECT'],
        [b?.name, 'GEARMAN_COULD_NOT_CONNECT'],
      ],
    );
    assert.match(results[1]?.error?.message ?? '', /was removed from the pool/);
    await client.close();
    assert.equal(clock.now(), 0, 'nobody waited');
  });

  it('and removes the server itself has the result at once', LIMIT, async (t) => {
    const { peers, clock, client } = await paused(t, 1);
    onceTold(
      t,
      () => true,
      () => client.removeServer(peers[0]?.name ?? ''),
    );
    const [result] = await client.ping();
    assert.equal(result?.error?.code, 'GEARMAN_COULD_NOT_CONNECT');
    assert.match(result.error.message, /was removed from the pool/);
    await client.close();
    assert.equal(clock.now(), 0);
  });

  it('is told that a paused server is connected to, without a word of it being idle', LIMIT, async (t) => {
    const { peers, client } = await paused(t, 1);
    const told = onceTold(t, () => false, silent);
    await client.ping();
    await untilState(client, peers[0] ?? { name: '' }, 'paused');
    assert.deepEqual(
      told.map((change) => change.split(' ')[1]),
      ['connecting', 'paused'],
    );
  });
});
