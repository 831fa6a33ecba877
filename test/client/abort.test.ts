/** Calls that are given up by their signal, at each stage. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import { clientOf, proven, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, jobCreated, serve, statusRes } from '../support/peer.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

const calls: [name: string, call: (client: GearmanClient, signal: AbortSignal) => Promise<unknown>][] = [
  ['doBackground', (client, signal) => client.doBackground('f', 'w', { signal })],
  ['submitBackground', (client, signal) => client.submitBackground('f', 'w', { signal })],
  ['jobStatus', (client, signal) => client.jobStatus('H:1', { signal })],
  ['jobStatusByUnique', (client, signal) => client.jobStatusByUnique('u', { signal })],
  ['ping', (client, signal) => client.ping({ signal })],
];

describe('an aborted call', () => {
  for (const [name, call] of calls) {
    it(`of ${name} rejects before it is sent when the signal is aborted already`, async (t) => {
      const peer = await Peer.start(t, serve);
      const client = clientOf(t, [peer]);
      const reason = new Error('too late');
      const error = await rejection(call(client, AbortSignal.abort(reason)), 'GEARMAN_ABORTED');
      assert.equal(error.name, 'AbortError');
      assert.equal(error.cause, reason);
      await settleDown();
      assert.equal(peer.connections.length, 0);
      await client.close();
    });

    it(`of ${name} rejects while it waits for a connection`, async (t) => {
      const peer = await Peer.start(t, serve);
      peer.refuse();
      const client = clientOf(t, [peer], {}, new Clock());
      const abort = new AbortController();
      const aborted = rejection(call(client, abort.signal), 'GEARMAN_ABORTED');
      abort.abort();
      const error = await aborted;
      assert.equal((error.cause as Error).name, 'AbortError');
      await peer.reopen();
      await client.close();
      assert.equal(peer.requests.length, 0);
    });

    it(`of ${name} rejects while it waits for its answer, which is dropped then`, async (t) => {
      const peer = await Peer.start(t, silent);
      const client = clientOf(t, [peer], {}, new Clock());
      const abort = new AbortController();
      const aborted = rejection(call(client, abort.signal), 'GEARMAN_ABORTED');
      const connection = await peer.connection(0);
      const request = await connection.request(0);
      abort.abort();
      await aborted;
      const answer = peer.answer(request);
      assert.ok(answer !== undefined);
      connection.send(answer);
      const next = client.doBackground('f', 'w');
      await connection.received(2);
      connection.send(jobCreated('H:next'));
      assert.equal(await next, 'H:next');
      assert.equal(stateOf(client, peer).state, 'up', 'no doubt falls on the server');
      assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
    });
  }

  it('that submits says whether the job may have been submitted', async (t) => {
    const { client, connection, peer } = await proven(t, { maxInFlight: 1 });
    const abort = new AbortController();
    const { signal } = abort;
    const written = rejection(client.doBackground('f', 'w', { unique: 'a', signal }), 'GEARMAN_ABORTED');
    const waiting = rejection(client.doBackground('f', 'w', { unique: 'b', signal }), 'GEARMAN_ABORTED');
    await connection.received(2);
    abort.abort();
    const errors = [await written, await waiting];
    assert.deepEqual(
      errors.map(({ maybeSubmitted, server, unique, function: name }) => [maybeSubmitted, server, unique, name]),
      [
        [true, peer.name, 'a', 'f'],
        [false, undefined, 'b', 'f'],
      ],
    );
    connection.send(jobCreated('H:a'));
    await client.close();
    assert.equal(connection.requests.length, 2, 'what was not written never will be');
  });

  it('before it is sent says that nothing was submitted, and of which job', async (t) => {
    const client = clientOf(t, [await Peer.start(t, serve)]);
    const signal = AbortSignal.abort();
    const error = await rejection(client.doBackground('f', 'w', { unique: 'u', signal }), 'GEARMAN_ABORTED');
    assert.deepEqual([error.maybeSubmitted, error.function, error.unique], [false, 'f', 'u']);
  });

  it('that was lost and waits to be submitted again may have been submitted', async (t) => {
    const peer = await Peer.start(t, (connection) => {
      connection.onRequest = () => connection.reset();
    });
    const client = clientOf(t, [peer], { resubmit: true }, new Clock());
    const abort = new AbortController();
    const aborted = rejection(client.doBackground('f', 'w', { signal: abort.signal }), 'GEARMAN_ABORTED');
    await untilState(client, peer, 'paused');
    abort.abort();
    assert.equal((await aborted).maybeSubmitted, true);
  });

  it('leaves the others alone that have another signal or none', async (t) => {
    const { client, connection } = await proven(t);
    const [one, other] = [new AbortController(), new AbortController()];
    const gone = rejection(client.doBackground('f', 'w', { signal: one.signal }), 'GEARMAN_ABORTED');
    const rest = [client.doBackground('f', 'w', { signal: other.signal }), client.doBackground('f', 'w')];
    await connection.received(4);
    one.abort();
    await gone;
    connection.send(jobCreated('H:1'), jobCreated('H:2'), jobCreated('H:3'));
    assert.deepEqual(await Promise.all(rest), ['H:2', 'H:3']);
  });

  it('is settled once, when it is aborted after the answer', async (t) => {
    const peer = await Peer.start(t, serve);
    const abort = new AbortController();
    const handle = await clientOf(t, [peer]).doBackground('f', 'w', { signal: abort.signal });
    abort.abort();
    assert.equal(handle, 'H:peer:1');
  });
});

describe('a signal', () => {
  it('has one listener for all calls that it was given to, and none afterwards', async (t) => {
    const { client, connection } = await proven(t);
    const { signal } = new AbortController();
    const submissions = indexes(100).map(() => client.doBackground('f', 'w', { signal }));
    const statuses = indexes(100).map(() => client.jobStatus('H:proof', { signal }));
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    await connection.received(201);
    connection.send(...indexes(100).map((index) => jobCreated(`H:${index}`)));
    await Promise.all(submissions);
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    connection.send(...indexes(100).map(() => statusRes('H:proof')));
    await Promise.all(statuses);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('rejects all of them at once', async (t) => {
    const { client, connection } = await proven(t);
    const abort = new AbortController();
    const all = indexes(50).map(() =>
      rejection(client.doBackground('f', 'w', { signal: abort.signal }), 'GEARMAN_ABORTED'),
    );
    await connection.received(51);
    abort.abort('a reason that is no error');
    for (const error of await Promise.all(all)) assert.equal(error.cause, 'a reason that is no error');
    assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
  });

  it('may be used again after a call, and by a call that is made while it is aborted', async (t) => {
    const { client, connection } = await proven(t);
    const abort = new AbortController();
    const { signal } = abort;
    const again = client.doBackground('f', 'w', { signal }).catch(() => client.doBackground('f', 'w', { signal }));
    await connection.received(2);
    abort.abort();
    await rejection(again, 'GEARMAN_ABORTED');
  });

  it('of another realm is told by its shape', async (t) => {
    const { client, connection } = await proven(t);
    const inner = new AbortController();
    const foreign = {
      get aborted(): boolean {
        return inner.signal.aborted;
      },
      get reason(): unknown {
        return inner.signal.reason as unknown;
      },
      addEventListener: inner.signal.addEventListener.bind(inner.signal),
      removeEventListener: inner.signal.removeEventListener.bind(inner.signal),
    } as unknown as AbortSignal;
    const call = rejection(client.doBackground('f', 'w', { signal: foreign }), 'GEARMAN_ABORTED');
    await connection.received(2);
    inner.abort();
    await call;
  });
});
