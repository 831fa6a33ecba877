/** How a client ends: close() finishes what was accepted, destroy() cuts it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GearmanClient } from '../../src/client/client.js';
import { GearmanError } from '../../src/errors.js';
import { clientOf, collect, isPending, proven, rejection, settleDown, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, freeze, jobCreated, serve, statusRes } from '../support/peer.js';

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('close()', () => {
  it('finishes what was accepted, written or not, and then closes the sockets', async (t) => {
    const { client, connection } = await proven(t, { maxInFlight: 2 });
    const calls = indexes(6).map(() => client.doBackground('f', 'w'));
    const status = client.jobStatus('H:proof');
    let isClosed = false;
    const closed = client.close().then(() => {
      isClosed = true;
    });
    for (const index of indexes(6)) {
      await connection.received(2 + index);
      connection.send(jobCreated(`H:${index}`));
    }
    await Promise.all(calls);
    assert.equal(isClosed, false);
    await connection.received(8);
    connection.send(statusRes('H:proof'));
    await status;
    await closed;
    await connection.closed;
  });

  it('refuses new calls from then on', async (t) => {
    const { client, connection } = await proven(t);
    const accepted = client.doBackground('f', 'w');
    const closed = client.close();
    const late = [
      client.doBackground('f', 'w'),
      client.doHighBackground('f', 'w'),
      client.doLowBackground('f', 'w'),
      client.submitBackground('f', 'w'),
      client.jobStatus('H:1'),
      client.jobStatusByUnique('u'),
      client.ping(),
    ];
    for (const call of late) {
      const error = await rejection(call, 'GEARMAN_SHUTDOWN');
      assert.match(error.message, /client was closed/);
    }
    await connection.received(2);
    connection.send(jobCreated('H:1'));
    assert.equal(await accepted, 'H:1');
    await closed;
    await rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    assert.equal(connection.requests.length, 2);
  });

  for (const [how, end] of [
    ['close()', (client: GearmanClient) => void client.close()],
    ['destroy()', (client: GearmanClient) => client.destroy(new Error('enough'))],
  ] as const) {
    it(`has submissions after ${how} say which job was not submitted`, async (t) => {
      const { client, peer } = await proven(t, { prefix: 'p:' });
      end(client);
      const options = { unique: 'u' };
      for (const call of [
        client.doBackground('f', 'w', 'u'),
        client.doHighBackground('f', 'w', options),
        client.doLowBackground('f', 'w', { ...options, server: peer.name }),
        client.submitBackground('f', 'w', options),
      ]) {
        const error = await rejection(call, 'GEARMAN_SHUTDOWN');
        assert.deepEqual([error.function, error.unique, error.maybeSubmitted], ['f', 'u', false]);
        assert.match(error.message, /Submitting f \(unique ID u\): The client was (closed|destroyed)/);
        assert.equal((error.cause as Error | undefined)?.message, how === 'close()' ? undefined : 'enough');
      }
      const generated = await rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
      assert.match(generated.unique ?? '', /^[0-9a-f-]{36}$/);
      await rejection(client.doBackground('', 'w'), 'GEARMAN_INVALID_ARGUMENT');
      await client.close();
    });
  }

  it('of a client that was never used is done at once, and connects to nothing', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    await client.close();
    await rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    await new GearmanClient().close();
    assert.equal(peer.connections.length, 0);
  });

  it('waits for calls that no server takes, as long as they do', async (t) => {
    const peer = await Peer.start(t, serve);
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer], {}, clock);
    const call = client.doBackground('f', 'w');
    await untilState(client, peer, 'paused');
    const closed = client.close();
    await peer.reopen();
    await clock.advanceUntil(closed);
    assert.equal(await call, 'H:peer:1');
  });

  it('ends within the deadlines of the calls, whatever the servers do', async (t) => {
    const peer = await Peer.start(t, freeze);
    const clock = new Clock();
    const client = clientOf(t, [peer], { timeout: 1000 }, clock);
    const calls = indexes(3).map((index) =>
      client.doBackground('f', 'w', `u${index}`).catch((error: unknown) => (error as { code: string }).code),
    );
    await untilState(client, peer, 'proving');
    const closed = client.close();
    await clock.advanceUntil(Promise.all(calls));
    assert.deepEqual(new Set(await Promise.all(calls)), new Set(['GEARMAN_TIMEOUT']));
    const settledMs = clock.now();
    await clock.advanceUntil(closed);
    assert.ok(clock.now() - settledMs <= 6000, 'and of what nobody waits for within the heartbeat');
  });

  it('does not wait for answers that nobody waits for', async (t) => {
    const { client, connection } = await proven(t);
    const abort = new AbortController();
    const gone = rejection(client.doBackground('f', 'w', { signal: abort.signal }), 'GEARMAN_ABORTED');
    await connection.received(2);
    abort.abort();
    await gone;
    const closed = client.close();
    await settleDown();
    assert.equal(await isPending(closed), false);
    await closed;
    await connection.closed;
  });

  it('may be called again and again', async (t) => {
    const { client, connection } = await proven(t);
    const call = client.doBackground('f', 'w');
    const both = [client.close(), client.close()];
    await connection.received(2);
    connection.send(jobCreated('H:1'));
    await call;
    await Promise.all(both);
    await client.close();
  });

  it('is what await using calls', async (t) => {
    const { client, connection } = await proven(t);
    await client[Symbol.asyncDispose]();
    await connection.closed;
    await rejection(client.ping(), 'GEARMAN_SHUTDOWN');
  });

  it('ends connections that wait for no answer but are still being made', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    const abort = new AbortController();
    const call = rejection(client.doBackground('f', 'w', { signal: abort.signal }), 'GEARMAN_ABORTED');
    await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
    abort.abort();
    await call;
    await client.close();
    assert.equal(peer.requests.length, 0);
  });
});

describe('close({ timeout })', () => {
  it('cuts what takes longer', async (t) => {
    const { client, clock, connection, peer } = await proven(t, { maxInFlight: 1 });
    const written = rejection(client.doBackground('f', 'w', 'a'), 'GEARMAN_SHUTDOWN');
    const waiting = rejection(client.doBackground('f', 'w', 'b'), 'GEARMAN_SHUTDOWN');
    await connection.received(2);
    const closed = client.close({ timeout: 500 });
    clock.advance(499);
    assert.equal(await isPending(closed), true);
    clock.advance(1);
    await closed;
    const errors = [await written, await waiting];
    assert.deepEqual(
      errors.map(({ maybeSubmitted, unique }) => [maybeSubmitted, unique]),
      [
        [true, 'a'],
        [false, 'b'],
      ],
    );
    assert.equal(errors[0]?.server, peer.name);
    await connection.closed;
  });

  it('leaves in peace what is done before', async (t) => {
    const { client, clock, connection } = await proven(t);
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    const closed = client.close({ timeout: 500 });
    clock.advance(400);
    connection.send(jobCreated('H:1'));
    assert.equal(await call, 'H:1');
    await closed;
    clock.advance(1000);
    assert.equal(clock.alarms <= 1, true);
  });

  for (const [first, second] of [
    [500, 100],
    [100, 500],
    [Infinity, 100],
    [100, undefined],
  ] as const) {
    it(`is cut by the shorter of ${first} and then ${second ?? 'none'}`, async (t) => {
      const { client, clock, connection } = await proven(t);
      const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
      await connection.received(2);
      const both = Promise.all([
        client.close({ timeout: first }),
        client.close(second === undefined ? {} : { timeout: second }),
      ]);
      clock.advance(99);
      assert.equal(await isPending(both), true);
      clock.advance(1);
      await both;
      await call;
    });
  }

  it('cuts off a question, a ping and a watch, too', async (t) => {
    const { client, clock, connection } = await proven(t);
    const status = rejection(client.jobStatus('H:proof'), 'GEARMAN_SHUTDOWN');
    const everywhere = rejection(client.jobStatusByUnique('u'), 'GEARMAN_SHUTDOWN');
    const ping = client.ping();
    const watch = rejection(collect(client.watch('H:proof')), 'GEARMAN_SHUTDOWN');
    await connection.received(5);
    const closed = client.close({ timeout: 10 });
    clock.advance(10);
    await closed;
    assert.equal((await status).handle, 'H:proof');
    assert.equal((await everywhere).unique, 'u');
    assert.equal((await ping)[0]?.error?.code, 'GEARMAN_SHUTDOWN');
    await watch;
  });
});

describe('destroy()', () => {
  it('rejects what is outstanding at once, with its error as cause', async (t) => {
    const { client, connection } = await proven(t);
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    await connection.received(2);
    const reason = new Error('enough');
    client.destroy(reason);
    const error = await call;
    assert.equal(error.cause, reason);
    assert.match(error.message, /destroyed/);
    await connection.closed;
    const late = await rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    assert.equal(late.cause, reason);
  });

  it('rejects what waits for a server that cannot be reached', async (t) => {
    const peer = await Peer.start(t);
    peer.refuse();
    const client = clientOf(t, [peer], {}, new Clock());
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    const status = rejection(client.jobStatus('H:1', { server: peer.name }), 'GEARMAN_SHUTDOWN');
    await untilState(client, peer, 'paused');
    client.destroy();
    assert.equal((await call).maybeSubmitted, false);
    await status;
  });

  it('is no fault of a server: its errors are plain GearmanErrors, wherever the calls are', async (t) => {
    const { client, connection } = await proven(t, { maxInFlight: 3 });
    const watch = collect(client.watch('H:proof'));
    const calls = [
      ...[watch, client.doBackground('f', 'written'), client.jobStatus('H:proof')],
      ...[client.doBackground('f', 'waits'), client.jobStatus('H:proof')],
    ].map((call) => rejection(call, 'GEARMAN_SHUTDOWN'));
    const ping = client.ping();
    await connection.received(4);
    client.destroy(new Error('enough'));
    const late = [client.doBackground('f', 'late'), client.jobStatus('H:x'), client.ping()];
    const errors = await Promise.all([...calls, ...late.map((call) => rejection(call, 'GEARMAN_SHUTDOWN'))]);
    for (const error of [...errors, ...(await ping).map((result) => result.error)]) {
      assert.equal(error?.code, 'GEARMAN_SHUTDOWN');
      assert.equal(Object.getPrototypeOf(error), GearmanError.prototype, error.message);
      assert.equal(error.name, 'GearmanError');
    }
    assert.equal(errors.length, 8);
  });

  for (const [what, ask] of [
    ['handle', (client: GearmanClient) => client.jobStatus('H:x')],
    ['unique ID', (client: GearmanClient) => client.jobStatusByUnique('u')],
  ] as const) {
    it(`ends a question about a ${what} that waits for room, as every call`, async (t) => {
      const { client, connection } = await proven(t, { maxInFlight: 1 });
      const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
      const status = rejection(ask(client), 'GEARMAN_SHUTDOWN');
      await connection.received(2);
      client.destroy();
      await call;
      const error = await status;
      assert.equal(error.unreachable, undefined);
    });

    it(`ends a question about a ${what} that waits for a connection to one server and for the answer of another`, async (t) => {
      const [a, b] = [await Peer.start(t), await Peer.start(t)];
      const clock = new Clock();
      const connect = clock.connect.bind(clock);
      // The connection to the first one never comes up.
      clock.connect = (target, onUp) => connect(target, target.port === a.port ? () => undefined : onUp);
      const client = clientOf(t, [a, b], {}, clock);
      const status = rejection(ask(client), 'GEARMAN_SHUTDOWN');
      await (await b.connection(0)).received(1);
      client.destroy();
      assert.equal((await status).unreachable, undefined);
    });
  }

  it('ends connections that are being made', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    await Promise.resolve();
    client.destroy();
    assert.equal((await call).maybeSubmitted, false);
    await client.close();
    await settleDown();
    assert.equal(peer.requests.length, 0);
  });

  it('and close() may come in any order', async (t) => {
    const { client, connection } = await proven(t);
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_SHUTDOWN');
    await connection.received(2);
    const closed = client.close();
    client.destroy();
    client.destroy(new Error('again'));
    await call;
    await closed;
    await client.close();
    await client.close({ timeout: 1 });
    client.destroy();
    await connection.closed;
  });

  it('of a client that was never used is allowed', async () => {
    const client = new GearmanClient('a');
    client.destroy();
    await client.close();
    await rejection(client.ping(), 'GEARMAN_SHUTDOWN');
  });

  it('by a caller who is just being told', async (t) => {
    const { client, connection } = await proven(t);
    const first = client.doBackground('f', 'w').then(() => client.destroy());
    const second = client.doBackground('f', 'w').then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );
    await connection.received(3);
    connection.send(jobCreated('H:1'));
    await first;
    assert.equal(await second, 'GEARMAN_SHUTDOWN');
  });
});
