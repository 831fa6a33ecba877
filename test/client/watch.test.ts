/** Following a job until it is over. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import type { JobProgress } from '../../src/client/watch.js';
import { clientOf, collect, isPending, proven, rejection, settleDown, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import {
  Peer,
  dieOnRequest,
  errorPacket,
  jobCreated,
  serve,
  statusRes,
  type PeerStatus,
  type Script,
} from '../support/peer.js';

const silent: Script = () => undefined;
const QUEUED: PeerStatus = [true, false, 0, 0];
const step = (numerator: number): PeerStatus => [true, true, numerator, 14];

/** Answers each question with the next status, and at last that the job is unknown. */
function tell(...statuses: PeerStatus[]): Script {
  let turn = 0;
  return (connection) => {
    connection.onRequest = ({ args: [handle = ''] }) => {
      connection.send(statusRes(handle, statuses[turn++]));
    };
  };
}

const numerators = (items: readonly JobProgress[]): number[] => items.map(({ numerator }) => numerator);

describe('a watch', () => {
  it('yields each change once, the last one being that the job is not known', async (t) => {
    const peer = await Peer.start(t, tell(QUEUED, QUEUED, step(1), step(1), step(1), step(2), step(14)));
    const clock = new Clock();
    const all = collect(clientOf(t, [peer], {}, clock).watch('H:1'));
    await clock.advanceUntil(all);
    assert.deepEqual(await all, [
      { known: true, running: false, numerator: 0, denominator: 0 },
      { known: true, running: true, numerator: 1, denominator: 14 },
      { known: true, running: true, numerator: 2, denominator: 14 },
      { known: true, running: true, numerator: 14, denominator: 14 },
      { known: false, running: false, numerator: 0, denominator: 0 },
    ]);
    assert.equal(peer.requests.length, 8);
  });

  it('of a job that is over yields that alone', async (t) => {
    const peer = await Peer.start(t, serve);
    const all = await collect(clientOf(t, [peer], {}, new Clock()).watch('H:1'));
    assert.deepEqual(all, [{ known: false, running: false, numerator: 0, denominator: 0 }]);
  });

  it('asks at once, and then in its interval', async (t) => {
    const { client, clock, connection } = await proven(t);
    const seen: JobProgress[] = [];
    const all = collect(client.watch('H:proof', { interval: 250 }), seen);
    for (const question of [1, 2, 3]) {
      await connection.received(1 + question);
      connection.send(statusRes('H:proof', step(question)));
      while (seen.length < question) await settleDown();
      await settleDown();
      clock.advance(249);
      await settleDown();
      assert.equal(connection.requests.length, 1 + question);
      clock.advance(1);
    }
    await connection.received(5);
    connection.send(statusRes('H:proof'));
    assert.deepEqual(numerators(await all), [1, 2, 3, 0]);
  });

  it('has an interval of a second by default', async (t) => {
    const { client, clock, connection } = await proven(t);
    const seen: JobProgress[] = [];
    const all = collect(client.watch('H:proof'), seen);
    await connection.received(2);
    connection.send(statusRes('H:proof', QUEUED));
    while (seen.length < 1) await settleDown();
    await settleDown();
    clock.advance(999);
    await settleDown();
    assert.equal(connection.requests.length, 2);
    clock.advance(1);
    await connection.received(3);
    connection.send(statusRes('H:proof'));
    await all;
  });

  it('takes an id, and asks its server', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const all = await collect(clientOf(t, [a, b]).watch(`${b.name}//H:1`));
    assert.equal(all.length, 1);
    assert.deepEqual([a.requests.length, b.requests.length], [0, 1]);
  });

  it('can be run twice, each time from the start', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer], {}, new Clock());
    assert.equal((await collect(client.watch('H:1'))).length, 1);
    assert.equal((await collect(client.watch('H:1'))).length, 1);
  });

  it('asks nothing before it is iterated', async (t) => {
    const peer = await Peer.start(t, serve);
    clientOf(t, [peer]).watch('H:1');
    await settleDown();
    assert.equal(peer.connections.length, 0);
  });
});

describe('a watch goes on', () => {
  it('while the server cannot be asked', async (t) => {
    const peer = await Peer.start(t, tell(step(1), step(1)));
    const clock = new Clock();
    const client = clientOf(t, [peer], { timeout: 500 }, clock);
    const seen: JobProgress[] = [];
    const all = collect(client.watch('H:1'), seen);
    while (seen.length < 1) await settleDown();
    peer.crash();
    await untilState(client, peer, 'idle');
    const startMs = clock.now();
    // Half a minute of outage, in which no question gets through.
    while (clock.now() < startMs + 30_000) {
      clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    peer.follow(tell(step(2)));
    await peer.reopen();
    await clock.advanceUntil(all, 50);
    assert.deepEqual(numerators(await all), [1, 2, 0]);
  });

  it('when an answer is lost, or late', async (t) => {
    const peer = await Peer.start(t, dieOnRequest, silent, tell(step(1)));
    const clock = new Clock();
    const all = collect(clientOf(t, [peer], { timeout: 500, heartbeat: 200, connectTimeout: 300 }, clock).watch('H:1'));
    await clock.advanceUntil(all);
    assert.deepEqual(numerators(await all), [1, 0]);
  });

  it('for the consumer that takes its time: that is no outage', async (t) => {
    const peer = await Peer.start(t, tell(step(1), step(2)));
    const clock = new Clock();
    const client = clientOf(t, [peer], {}, clock);
    const seen: number[] = [];
    const all = (async () => {
      for await (const { numerator } of client.watch('H:1', { timeout: 5000 })) {
        seen.push(numerator);
        clock.advance(60_000);
      }
    })();
    await clock.advanceUntil(all);
    await all;
    assert.deepEqual(seen, [1, 2, 0]);
  });
});

describe('a watch gives up', () => {
  it('when the server could not be asked for its timeout', async (t) => {
    const peer = await Peer.start(t, tell(step(1)));
    const clock = new Clock();
    const client = clientOf(t, [peer], { timeout: 400 }, clock);
    const seen: JobProgress[] = [];
    const all = rejection(collect(client.watch('H:1', { timeout: 5000 }), seen), 'GEARMAN_COULD_NOT_CONNECT');
    while (seen.length < 1) await settleDown();
    const startMs = clock.now();
    peer.crash();
    await clock.advanceUntil(all);
    const error = await all;
    assert.deepEqual(error.unreachable, [peer.name]);
    const tookMs = clock.now() - startMs;
    assert.ok(tookMs >= 4900 && tookMs <= 5500, `after ${tookMs} ms`);
  });

  it('after a minute by default', async (t) => {
    const peer = await Peer.start(t);
    peer.refuse();
    const clock = new Clock();
    const all = rejection(collect(clientOf(t, [peer], {}, clock).watch('H:1')), 'GEARMAN_COULD_NOT_CONNECT');
    await clock.advanceUntil(all, 100);
    assert.ok(clock.now() >= 59_000 && clock.now() <= 61_000, `after ${clock.now()} ms`);
  });

  it('never when it has no timeout', async (t) => {
    const peer = await Peer.start(t, serve);
    peer.refuse();
    const clock = new Clock();
    const all = collect(clientOf(t, [peer], {}, clock).watch('H:1', { timeout: Infinity }));
    while (clock.now() < 300_000) {
      clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(await isPending(all), true);
    await peer.reopen();
    await clock.advanceUntil(all, 100);
    assert.equal((await all).length, 1);
  });

  it('at once for what asking again would not mend', async (t) => {
    const { client, connection } = await proven(t);
    const all = rejection(collect(client.watch('H:proof')), 'GEARMAN_SERVER_ERROR');
    await connection.received(2);
    connection.send(errorPacket());
    assert.equal((await all).handle, 'H:proof');

    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    for (const { statuses } of [a, b]) statuses.set('H:1', QUEUED);
    await rejection(collect(clientOf(t, [a, b]).watch('H:1')), 'GEARMAN_AMBIGUOUS_HANDLE');
    await rejection(collect(clientOf(t, [a]).watch('stranger//H:1')), 'GEARMAN_INVALID_ARGUMENT');
  });
});

describe('a watch ends', () => {
  it('when its loop is left, and asks no more', async (t) => {
    const { client, clock, connection } = await proven(t);
    const first = (async () => {
      for await (const progress of client.watch('H:proof')) return progress;
      return undefined;
    })();
    await connection.received(2);
    connection.send(statusRes('H:proof', QUEUED));
    assert.equal((await first)?.known, true);
    clock.advance(60_000);
    await settleDown();
    assert.equal(connection.requests.length, 2);
    await client.close();
  });

  it('when return() is called while it waits', async (t) => {
    const { client, clock, connection } = await proven(t);
    const iterator = client.watch('H:proof')[Symbol.asyncIterator]();
    const first = iterator.next();
    await connection.received(2);
    connection.send(statusRes('H:proof', QUEUED));
    await first;
    const second = iterator.next();
    await settleDown();
    const returned = iterator.return?.();
    clock.advance(1000);
    await connection.received(3);
    connection.send(statusRes('H:proof'));
    await second;
    assert.deepEqual(await returned, { value: undefined, done: true });
  });

  it('when its signal is aborted: before the start, while it asks, and while it pauses', async (t) => {
    const { client, connection, clock } = await proven(t);
    const early = AbortSignal.abort(new Error('early'));
    const error = await rejection(collect(client.watch('H:proof', { signal: early })), 'GEARMAN_ABORTED');
    assert.equal((error.cause as Error).message, 'early');

    const asking = new AbortController();
    const first = rejection(collect(client.watch('H:proof', { signal: asking.signal })), 'GEARMAN_ABORTED');
    await connection.received(2);
    asking.abort();
    await first;
    connection.send(statusRes('H:proof', QUEUED));

    const pausing = new AbortController();
    const seen: JobProgress[] = [];
    const second = rejection(collect(client.watch('H:proof', { signal: pausing.signal }), seen), 'GEARMAN_ABORTED');
    await connection.received(3);
    connection.send(statusRes('H:proof', QUEUED));
    while (seen.length < 1) await settleDown();
    clock.advance(500);
    pausing.abort();
    await second;
    assert.equal(connection.requests.length, 3);
  });

  for (const how of ['close', 'destroy'] as const) {
    it(`when the client ends with ${how}(), however long the pause`, async (t) => {
      const { client, connection } = await proven(t);
      const seen: JobProgress[] = [];
      const all = rejection(collect(client.watch('H:proof', { interval: 3_600_000 }), seen), 'GEARMAN_SHUTDOWN');
      await connection.received(2);
      connection.send(statusRes('H:proof', QUEUED));
      while (seen.length < 1) await settleDown();
      await settleDown();
      await end(client, how);
      await all;
    });
  }

  it('when the client ends while it asks', async (t) => {
    const { client, connection } = await proven(t);
    const seen: JobProgress[] = [];
    const all = rejection(collect(client.watch('H:proof'), seen), 'GEARMAN_SHUTDOWN');
    await connection.received(2);
    const closed = client.close();
    connection.send(statusRes('H:proof', step(5)));
    while (seen.length < 1) await settleDown();
    assert.equal(await isPending(all), false);
    await all;
    await closed;
    assert.deepEqual(numerators(seen), [5], 'what was accepted is finished');
  });

  it('when the client is closed in its loop', async (t) => {
    const { client, connection } = await proven(t);
    const all = rejection(
      (async () => {
        for await (const { known } of client.watch('H:proof')) {
          assert.equal(known, true);
          await client.close();
        }
      })(),
      'GEARMAN_SHUTDOWN',
    );
    await connection.received(2);
    connection.send(statusRes('H:proof', QUEUED));
    await all;
  });

  it('when the client has ended before', async (t) => {
    const { client } = await proven(t);
    await client.close();
    await rejection(collect(client.watch('H:proof')), 'GEARMAN_SHUTDOWN');
  });
});

async function end(client: GearmanClient, how: 'close' | 'destroy'): Promise<void> {
  if (how === 'close') await client.close();
  else client.destroy();
}

describe('many watches', () => {
  it('raise no warning about listeners', async (t) => {
    const warnings: string[] = [];
    const note = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', note);
    t.after(() => process.off('warning', note));
    const peer = await Peer.start(t, serve);
    peer.statuses.set('H:1', QUEUED);
    const client = clientOf(t, [peer], {}, new Clock());
    const { signal } = new AbortController();
    const seen: JobProgress[] = [];
    const all = Array.from({ length: 100 }, () =>
      rejection(collect(client.watch('H:1', { signal }), seen), 'GEARMAN_SHUTDOWN'),
    );
    while (seen.length < 100) await settleDown();
    await settleDown();
    await client.close();
    await Promise.all(all);
    await settleDown();
    assert.deepEqual(warnings, []);
  });

  it('of one job do not disturb each other', async (t) => {
    const { client, connection } = await proven(t);
    const both = Promise.all([collect(client.watch('H:proof')), collect(client.watch('H:proof'))]);
    await connection.received(3);
    connection.send(statusRes('H:proof'), statusRes('H:proof'));
    assert.deepEqual(
      (await both).map(({ length }) => length),
      [1, 1],
    );
    const next = client.doBackground('f', 'w');
    await connection.received(4);
    connection.send(jobCreated('H:2'));
    assert.equal(await next, 'H:2');
  });
});
