/** A job whose connection dies before it was acknowledged: submitted again only where the caller asks for it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientOf, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, after, dieOnRequest, errorPacket, freeze, jobCreated, serve, statusRes } from '../support/peer.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const uniques = ({ requests }: { requests: readonly { args: readonly string[] }[] }): (string | undefined)[] =>
  requests.map(({ args }) => args[1]);

describe('without resubmit', () => {
  it('no job is submitted twice, and every call says that it may have been submitted', async (t) => {
    const [a, b] = [await Peer.start(t, after(1, dieOnRequest)), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b]);
    await client.doBackground('f', 'w', 'proof');
    const errors = await Promise.all(
      indexes(20).map((index) => rejection(client.doBackground('f', 'w', `u${index}`), 'GEARMAN_LOST_CONNECTION')),
    );
    for (const error of errors) assert.equal(error.maybeSubmitted, true);
    assert.deepEqual(b.requests, []);
    const all = [...uniques(a), ...uniques(b)];
    assert.equal(new Set(all).size, all.length);
  });

  it('a job that waits unwritten behind them moves on', async (t) => {
    const [a, b] = [await Peer.start(t, dieOnRequest), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b]);
    const [written, ...waiting] = indexes(4).map((index) => client.doBackground('f', 'w', `u${index}`));
    await rejection(Promise.resolve(written), 'GEARMAN_LOST_CONNECTION');
    await Promise.all(waiting);
    assert.deepEqual([uniques(a), uniques(b)], [['u0'], ['u1', 'u2', 'u3']]);
  });
});

describe('with resubmit', () => {
  it('a job goes to the same server again at once, with the same unique ID, when a proven connection closed', async (t) => {
    const [a, b] = [
      await Peer.start(
        t,
        after(1, (connection) => connection.end()),
        serve,
      ),
      await Peer.start(t, serve),
    ];
    const client = clientOf(t, [a, b], { resubmit: true }, new Clock());
    await client.doBackground('f', 'w', 'proof');
    await client.doBackground('f', 'payload', 'explicit');
    assert.deepEqual(uniques(a), ['proof', 'explicit', 'explicit']);
    assert.equal(a.requests[2]?.data.toString(), 'payload');
    assert.deepEqual(b.requests, []);
  });

  it('a generated unique ID stays the same, too', async (t) => {
    const a = await Peer.start(t, dieOnRequest, serve);
    const clock = new Clock();
    const client = clientOf(t, [a], { resubmit: true }, clock);
    const call = client.doBackground('f', 'w');
    await clock.advanceUntil(call);
    const [first, second] = uniques(a);
    assert.equal(first, second);
    assert.equal(a.requests.length, 2);
  });

  it('a job goes to the next in rank when the connection was not proven', async (t) => {
    const [a, b] = [await Peer.start(t, dieOnRequest), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b], { resubmit: true }, new Clock());
    await client.doBackground('f', 'w', 'u');
    assert.deepEqual([uniques(a), uniques(b)], [['u'], ['u']]);
  });

  it('a job goes to the next in rank when the server broke the protocol', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b], { resubmit: true }, new Clock());
    const proof = client.doBackground('f', 'w', 'proof');
    const connection = await a.connection(0);
    await connection.received(1);
    connection.send(jobCreated('H:proof'));
    await proof;
    const call = client.doBackground('f', 'w', 'u');
    await connection.received(2);
    connection.send(statusRes('H:proof'));
    await call;
    assert.deepEqual(uniques(b), ['u']);
  });

  it('a job goes on until the deadline, and its error says that it may have been submitted', async (t) => {
    const [a, b] = [await Peer.start(t, dieOnRequest), await Peer.start(t, dieOnRequest)];
    const clock = new Clock();
    const client = clientOf(t, [a, b], { resubmit: true, timeout: 1000 }, clock);
    const outcome = client.doBackground('f', 'w', 'u').then(
      () => assert.fail('resolved'),
      (error: unknown) => error as { code: string; maybeSubmitted: boolean; unique: string },
    );
    await clock.advanceUntil(outcome);
    const error = await outcome;
    assert.deepEqual([error.maybeSubmitted, error.unique], [true, 'u']);
    assert.ok(['GEARMAN_COULD_NOT_CONNECT', 'GEARMAN_TIMEOUT'].includes(error.code), error.code);
    assert.ok(a.requests.length > 1 && b.requests.length > 1, 'it went round and round');
    assert.deepEqual(new Set([...uniques(a), ...uniques(b)]), new Set(['u']));
  });

  it('a job that was lost may have been submitted, also when no server can be reached from then on', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t)];
    b.refuse();
    const clock = new Clock();
    const client = clientOf(t, [a, b], { resubmit: true, timeout: 1000 }, clock);
    const call = rejection(client.doBackground('f', 'w', 'lost'), 'GEARMAN_COULD_NOT_CONNECT');
    const never = rejection(client.doBackground('f', 'w', 'never sent'), 'GEARMAN_COULD_NOT_CONNECT');
    const connection = await a.connection(0);
    await connection.received(1);
    a.crash();
    await clock.advanceUntil(Promise.all([call, never]));
    assert.equal(clock.now(), 1000);
    const [error, other] = [await call, await never];
    assert.deepEqual([error.unique, error.maybeSubmitted, error.server], ['lost', true, undefined]);
    assert.match(error.message, /no job server could be reached within 1000 ms/);
    assert.deepEqual([other.unique, other.maybeSubmitted], ['never sent', false]);
    assert.deepEqual(uniques(a), ['lost']);
  });

  it('many jobs keep their order', async (t) => {
    const [a, b] = [await Peer.start(t, after(1, dieOnRequest)), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b], { resubmit: true }, new Clock());
    await client.doBackground('f', 'w', 'proof');
    a.refuse();
    await Promise.all(indexes(30).map((index) => client.doBackground('f', 'w', `u${index}`)));
    assert.deepEqual(
      uniques(b),
      indexes(30).map((index) => `u${index}`),
    );
  });

  it('is what a single job can ask for, or not want', async (t) => {
    const a = await Peer.start(t, dieOnRequest, serve, dieOnRequest);
    const clock = new Clock();
    const careful = clientOf(t, [a], {}, clock);
    const call = careful.doBackground('f', 'w', { unique: 'again', resubmit: true });
    await clock.advanceUntil(call);
    assert.deepEqual(uniques(a), ['again', 'again']);
    const bold = clientOf(t, [a], { resubmit: true });
    await rejection(bold.doBackground('f', 'w', { unique: 'once', resubmit: false }), 'GEARMAN_LOST_CONNECTION');
    assert.deepEqual(uniques(a), ['again', 'again', 'once']);
  });

  it('neither an ERROR nor a timeout is a reason to submit again', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [a, b], { resubmit: true }, clock);
    const refused = rejection(client.doBackground('f', 'w'), 'GEARMAN_SERVER_ERROR');
    const connection = await a.connection(0);
    await connection.received(1);
    connection.send(errorPacket());
    await refused;
    const late = rejection(client.doBackground('f', 'w', { timeout: 10 }), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(10);
    await late;
    clock.advance(3000);
    await connection.closed;
    await settleDown();
    assert.deepEqual(b.requests, []);
  });

  it('a job of a stopped server moves once the heartbeat has found out', async (t) => {
    const [a, b] = [await Peer.start(t, silent, freeze), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [a, b], { resubmit: true, heartbeat: 1000 }, clock);
    const proof = client.doBackground('f', 'w', 'proof');
    const connection = await a.connection(0);
    await connection.received(1);
    connection.send(jobCreated('H:proof'));
    await proof;
    const call = client.doBackground('f', 'w', 'u');
    await connection.received(2);
    clock.advance(1999);
    assert.deepEqual(b.requests, []);
    clock.advance(1);
    await call;
    assert.deepEqual(uniques(b), ['u']);
    assert.equal(stateOf(client, a).state, 'paused');
  });

  it('a client that is destroyed submits nothing again', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b], { resubmit: true });
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    await (await a.connection(0)).received(1);
    client.destroy();
    assert.equal((await call).maybeSubmitted, true);
    await settleDown();
    assert.deepEqual(b.requests, []);
  });

  it('close() waits for what is submitted again', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b], { resubmit: true });
    const call = client.doBackground('f', 'w', 'u');
    const connection = await a.connection(0);
    await connection.received(1);
    const closed = client.close();
    connection.reset();
    await call;
    await closed;
    assert.deepEqual(uniques(b), ['u']);
  });
});

describe('a pool of servers that die and return', () => {
  it('settles every call, and loses no more than was written', async (t) => {
    const [a, b] = [
      await Peer.start(
        t,
        after(100, (connection) => connection.reset()),
        serve,
      ),
      await Peer.start(t, serve),
    ];
    const client = clientOf(t, [a, b], { maxInFlight: 64, backoff: { min: 1, max: 5 } });
    const outcomes = await Promise.allSettled(indexes(1000).map((index) => client.doBackground('f', 'w', `u${index}`)));
    const lost = outcomes.filter(({ status }) => status === 'rejected');
    assert.ok(lost.length >= 1 && lost.length <= 64, `${lost.length} are ambiguous`);
    assert.equal(new Set([...uniques(a), ...uniques(b)]).size, a.requests.length + b.requests.length);
    await untilState(client, a, 'up');
  });
});
