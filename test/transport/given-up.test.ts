/** A connection that is used no more is closed as soon as nobody waits for an answer on it, without the help of a heartbeat. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import type { RequestOptions } from '../../src/client/options.js';
import { clientOf, isPending, settleDown, stateOf } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, jobCreated, serve } from '../support/peer.js';

const silent = (): void => undefined;

const CALLS: Readonly<Record<string, (client: GearmanClient, options: RequestOptions) => Promise<unknown>>> = {
  doBackground: (client, options) => client.doBackground('f', 'w', options),
  jobStatus: (client, options) => client.jobStatus('H:1', options),
  jobStatusByUnique: (client, options) => client.jobStatusByUnique('u', options),
  ping: (client, options) => client.ping(options),
};

/** A client that asks no server for a sign of life, and a call that was written to a server that says nothing. */
async function unanswered(t: TestContext, name: string, { timeout = 1800 } = {}) {
  const peer = await Peer.start(t, silent, serve);
  const clock = new Clock();
  const client = clientOf(t, [peer], { heartbeat: Infinity, connectTimeout: 1000, timeout }, clock);
  const abort = new AbortController();
  const call = CALLS[name]?.(client, { signal: abort.signal }).catch(String);
  assert.ok(call !== undefined, name);
  const connection = await peer.connection(0);
  await connection.received(1);
  let isClosed = false;
  void connection.closed.then(() => (isClosed = true));
  return {
    ...{ peer, clock, client, call, connection, abort },
    isOpen: async () => {
      await settleDown();
      return !isClosed;
    },
  };
}

describe('a connection that was given up, with no heartbeat', () => {
  for (const name of Object.keys(CALLS)) {
    it(`is closed when the ${name} that was written to it times out`, async (t) => {
      const { peer, clock, client, call, connection, isOpen } = await unanswered(t, name);
      clock.advance(1000);
      assert.equal(stateOf(client, peer).state, 'paused');
      assert.deepEqual([await isPending(call), await isOpen()], [true, true], 'it may still be answered');
      clock.advance(800);
      await call;
      await connection.closed;
      assert.equal(connection.requests.length, 1);
    });

    it(`is closed when the ${name} that was written to it is aborted`, async (t) => {
      const { clock, call, connection, abort, isOpen } = await unanswered(t, name);
      clock.advance(1000);
      assert.equal(await isOpen(), true);
      abort.abort();
      await call;
      await connection.closed;
    });

    it(`is closed after connectTimeout when the ${name} that was written to it was aborted before`, async (t) => {
      const { clock, call, connection, abort, isOpen } = await unanswered(t, name);
      abort.abort();
      await call;
      assert.equal(await isOpen(), true, 'the server still has its time to answer');
      clock.advance(1000);
      await connection.closed;
    });

    it(`is closed when the ${name} that was written to it times out after its server was removed`, async (t) => {
      const { peer, clock, client, call, connection, isOpen } = await unanswered(t, name, { timeout: 600 });
      client.removeServer(peer.name);
      assert.equal(await isOpen(), true);
      clock.advance(600);
      await call;
      await connection.closed;
    });
  }

  it('is closed when its answer comes while the next one is in use', async (t) => {
    const { peer, clock, client, call, connection, isOpen } = await unanswered(t, 'doBackground', { timeout: 60_000 });
    clock.advance(1000);
    clock.advance(100);
    await client.doBackground('f', 'w', 'next');
    assert.equal(await isOpen(), true);
    connection.send(jobCreated('H:late'));
    assert.equal(await call, 'H:late');
    await connection.closed;
    assert.deepEqual([stateOf(client, peer).state, peer.connections.length], ['up', 2]);
  });

  it('is closed when the last of several calls gives up, not before', async (t) => {
    const peer = await Peer.start(t, silent, serve);
    const clock = new Clock();
    const client = clientOf(t, [peer], { heartbeat: Infinity, timeout: Infinity }, clock);
    const proof = client.doBackground('f', 'w', 'proof');
    const connection = await peer.connection(0);
    await connection.received(1);
    connection.send(jobCreated('H:proof'));
    await proof;
    const calls = [300, 100, 200].map((timeout) => client.doBackground('f', 'w', { timeout }).catch(String));
    await connection.received(4);
    client.removeServer(peer.name);
    clock.advance(299);
    await settleDown();
    assert.equal(connection.socket.readableEnded || connection.socket.destroyed, false);
    clock.advance(1);
    await Promise.all(calls);
    await connection.closed;
  });

  it('has what was written to it in inFlight until it is answered or lost, besides what the next one carries', async (t) => {
    const { peer, clock, client, call, connection } = await unanswered(t, 'doBackground', { timeout: 60_000 });
    const inFlight = (): number => stateOf(client, peer).inFlight;
    assert.equal(inFlight(), 1);
    clock.advance(1000);
    assert.deepEqual([stateOf(client, peer).state, inFlight()], ['paused', 1]);
    clock.advance(100);
    await client.doBackground('f', 'w', 'proof');
    assert.equal(inFlight(), 1);
    const young = await peer.connection(1);
    young.onRequest = silent;
    const next = client.doBackground('f', 'w', 'next');
    await young.received(2);
    assert.equal(inFlight(), 2);
    connection.send(jobCreated('H:late'));
    await call;
    assert.equal(inFlight(), 1);
    young.send(jobCreated('H:next'));
    await next;
    assert.equal(inFlight(), 0);
  });
});
