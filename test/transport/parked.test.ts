/** Calls that no server takes now: what it costs that they wait, why they fail, and where they go in the end. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { GearmanError } from '../../src/errors.js';
import { hashName, type RouteFunction } from '../../src/transport/routing.js';
import { clientOf, isPending, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, serve } from '../support/peer.js';

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const uniques = ({ requests }: { requests: readonly { args: readonly string[] }[] }): (string | undefined)[] =>
  requests.map(({ args }) => args[1]);

/** Two servers that refuse, the second in a longer pause, and a thousand calls that wait for them, routed by a function. */
async function park(t: TestContext, timeout = 60_000) {
  const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
  a.refuse();
  b.refuse();
  const clock = new Clock();
  const routed = { count: 0 };
  const routing: RouteFunction = (_job, servers) => {
    routed.count++;
    return servers;
  };
  const client = clientOf(t, [a, b], { routing, timeout }, clock);
  // Its second failure: with the shortest pauses, this one is left alone for 100 ms and the other for 50.
  await client.ping({ server: b.name });
  await client.ping({ server: b.name });
  const calls = indexes(1000).map((index) => client.doBackground('f', 'w', `u${index}`));
  await untilState(client, a, 'paused');
  await settleDown();
  assert.equal(await isPending(Promise.race(calls)), true);
  return { a, b, clock, client, calls, routed };
}

describe('a thousand calls that wait', () => {
  it('are not all routed at the end of each pause: one goes on trial', async (t) => {
    const { a, b, clock, client, calls, routed } = await park(t);
    const outcomes = Promise.all(calls);
    for (const peer of [a, b, a, b]) {
      const before = routed.count;
      while (stateOf(client, peer).state === 'paused') clock.advance(10);
      await untilState(client, peer, 'paused');
      await settleDown();
      assert.ok(routed.count - before <= 10, `routed ${routed.count - before} times at the end of one pause`);
    }
    assert.equal(await isPending(outcomes), true);
    await a.reopen();
    await clock.advanceUntil(outcomes);
    assert.equal(new Set(await outcomes).size, 1000);
  });

  it('are all served in the order of the calls by a server that comes back', async (t) => {
    const { a, b, clock, calls, routed } = await park(t);
    const outcomes = Promise.all(calls);
    await a.reopen();
    const before = routed.count;
    clock.advance(50);
    await outcomes;
    assert.deepEqual(
      uniques(a),
      indexes(1000).map((index) => `u${index}`),
    );
    assert.deepEqual(b.requests, []);
    assert.ok(routed.count - before <= 1010, `${routed.count - before}: each finds its way once`);
  });

  it('all fail at their deadline, also the one that is on trial then', async (t) => {
    const { clock, calls } = await park(t, 3000);
    const outcomes = Promise.allSettled(calls);
    await clock.advanceUntil(outcomes, 25);
    assert.equal(clock.now(), 3000);
    for (const outcome of await outcomes) {
      assert.equal(outcome.status, 'rejected');
      assert.equal((outcome.reason as GearmanError).code, 'GEARMAN_COULD_NOT_CONNECT');
    }
  });
});

describe('a call that waits for one server', () => {
  it('is refused at once when that is removed', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    a.refuse();
    const clock = new Clock();
    const client = clientOf(t, [a, b], {}, clock);
    const call = rejection(client.doBackground('f', 'w', { unique: 'u', server: a.name }), 'GEARMAN_COULD_NOT_CONNECT');
    await untilState(client, a, 'paused');
    assert.equal(await isPending(call), true);
    client.removeServer(a.name);
    const error = await call;
    assert.equal(error.name, 'GearmanConnectionError');
    assert.deepEqual([error.server, error.function, error.unique, error.maybeSubmitted], [a.name, 'f', 'u', false]);
    assert.equal(clock.now(), 0);
    assert.deepEqual(b.requests, []);
  });
});

describe('calls that time out together', () => {
  async function refused(t: TestContext) {
    const peers = [await Peer.start(t), await Peer.start(t)];
    for (const peer of peers) peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, peers, { timeout: 500 }, clock);
    const submit = (options = {}): Promise<GearmanError> =>
      rejection(client.doBackground('f', 'w', options), 'GEARMAN_COULD_NOT_CONNECT');
    return { peers, clock, client, submit };
  }

  it('have one reason, made once, and errors of their own', async (t) => {
    const { clock, submit } = await refused(t);
    const calls = Promise.all(indexes(1000).map((index) => submit({ unique: `u${index}` })));
    await clock.advanceUntil(calls);
    const errors = await calls;
    const [first] = errors;
    assert.ok(first?.cause instanceof AggregateError, String(first?.cause));
    assert.equal(first.cause.errors.length, 2);
    for (const { cause } of errors) assert.equal(cause, first.cause);
    assert.equal(new Set(errors).size, 1000);
    assert.deepEqual(
      errors.map(({ unique }) => unique),
      indexes(1000).map((index) => `u${index}`),
    );
  });

  it('have another one than those that time out later: servers may have failed in another way', async (t) => {
    const { clock, submit } = await refused(t);
    const first = submit();
    await clock.advanceUntil(first);
    const second = submit();
    await clock.advanceUntil(second);
    assert.equal((await second).cause instanceof AggregateError, true);
    assert.notEqual((await second).cause, (await first).cause);
  });

  it('have another one than those that waited for another time, or for one server', async (t) => {
    const { peers, clock, submit } = await refused(t);
    const [a, b] = peers.map(({ name }) => name);
    const late = [submit({ timeout: 300 }), submit({ server: a }), submit({ server: b }), submit()];
    clock.advance(200);
    late.push(submit({ timeout: 300 }));
    await clock.advanceUntil(Promise.all(late));
    const [early, onA, onB, anywhere, shorter] = await Promise.all(late);
    assert.match(early?.message ?? '', /within 300 ms/);
    assert.match(anywhere?.message ?? '', /within 500 ms/);
    assert.match(shorter?.message ?? '', /within 300 ms/);
    for (const [error, name] of [
      [onA, a],
      [onB, b],
    ] as const) {
      const causes = (error?.cause as AggregateError).errors as GearmanError[];
      assert.deepEqual(
        causes.map(({ server }) => server),
        [name],
      );
    }
  });
});

describe('calls that time out together, so many that telling them takes most of a second', () => {
  it('keep neither another call from its time nor a server from being tried again', async (t) => {
    const peer = await Peer.start(t);
    peer.refuse();
    const clock = new Clock();
    const attempts: number[] = [];
    const connect = clock.connect.bind(clock);
    clock.connect = (...args) => {
      attempts.push(clock.now());
      return connect(...args);
    };
    const client = clientOf(t, [peer], { backoff: { min: 100, max: 100 }, timeout: 3000 }, clock);
    const told: number[] = [];
    const mass = Promise.all(
      indexes(1500).map((index) => client.doBackground('f', 'w', `u${index}`).catch(() => told.push(clock.now()))),
    );
    await untilState(client, peer, 'paused');
    clock.advance(2900);
    await settleDown();
    assert.ok(told.length < 1, 'nobody is told yet');

    const now = clock.now.bind(clock);
    // Each call that is told costs a look at the clock at least, and from now on a look takes its time.
    clock.now = () => {
      clock.spend(0.5);
      return now();
    };
    const began = now();
    let endedMs = 0;
    const other = client.doBackground('f', 'w', { timeout: 200 }).catch(() => (endedMs = now()));
    await clock.advanceUntil(other, 1);
    assert.ok(told.length > 0 && told.length < 1500, `${told.length} were told before it`);
    assert.ok(endedMs - began < 300, `a call with a timeout of 200 ms took ${endedMs - began}`);
    await clock.advanceUntil(mass, 1);
    const [first = 0, last = 0] = [told.at(0), told.at(-1)];
    assert.ok(last - first > 400, `telling them took ${last - first} ms`);
    const meanwhile = attempts.filter((ms) => ms >= first && ms <= last);
    assert.ok(meanwhile.length >= (last - first) / 200, `tried ${meanwhile.length} times in ${last - first} ms`);
  });
});

describe("the workload of a call with the unique ID '-'", () => {
  it('is looked at once, however often the call looks for a server', async (t) => {
    const peers = [await Peer.start(t), await Peer.start(t)];
    for (const peer of peers) peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, peers, { routing: 'by-unique', timeout: 3000 }, clock);
    const workload = Buffer.alloc(10_000, 'x');
    const { length } = workload;
    let looks = 0;
    Object.defineProperty(workload, 'length', {
      get: () => {
        looks++;
        return length;
      },
    });
    const call = rejection(client.doBackground('f', workload, '-'), 'GEARMAN_COULD_NOT_CONNECT');
    const afterCall = looks;
    assert.ok(afterCall <= length + 100, `${afterCall} looks at ${length} bytes in the call`);
    await clock.advanceUntil(call);
    assert.ok(looks - afterCall < 100, `${looks - afterCall} more looks afterwards`);
  });
});

describe('servers that a job ranks the same', () => {
  // Of these three names the hashes are equal, and so are all their scores.
  const names = ['s4cp7c', 's7st9r', 's86pk0'];
  const orders = names.flatMap((first) =>
    names.flatMap((second) =>
      names.flatMap((third) => (new Set([first, second, third]).size === 3 ? [[first, second, third]] : [])),
    ),
  );

  it('are there', () => {
    assert.equal(new Set(names.map(hashName)).size, 1);
    assert.equal(orders.length, 6);
  });

  for (const order of orders) {
    it(`get it in the order of their names, added as ${order.join(', ')}`, async (t) => {
      const peers = new Map<string, Peer>();
      for (const name of names) peers.set(name, await Peer.start(t, serve));
      const servers = order.map((name) => ({ host: '127.0.0.1', port: peers.get(name)?.port, name }));
      const client = clientOf(t, [], { servers, routing: 'by-unique' }, new Clock());
      const count = (): (number | undefined)[] => names.map((name) => peers.get(name)?.requests.length);
      await Promise.all(indexes(20).map((index) => client.doBackground('f', 'w', `u${index}`)));
      assert.deepEqual(count(), [20, 0, 0]);
      peers.get('s4cp7c')?.crash();
      await untilState(client, { name: 's4cp7c' }, 'idle');
      await client.ping({ server: 's4cp7c' });
      await Promise.all(indexes(20).map((index) => client.doBackground('f', 'w', `u${index}`)));
      assert.deepEqual(count(), [20, 20, 0]);
    });
  }
});
