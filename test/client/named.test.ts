/** Calls that may go to one server only: how that is named, and what they say when it is out of reach or was removed. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import type { GearmanError, GearmanErrorCode } from '../../src/errors.js';
import { clientOf, isPending, proven, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, jobCreated, serve } from '../support/peer.js';

const silent = (): void => undefined;

/** Every way to call a server by its name, and the error that comes of it. */
const CALLS: Readonly<
  Record<string, (client: GearmanClient, server: string, code: GearmanErrorCode) => Promise<GearmanError>>
> = {
  doBackground: (client, server, code) => rejection(client.doBackground('f', 'w', { server, unique: 'u' }), code),
  submitBackground: (client, server, code) => rejection(client.submitBackground('f', 'w', { server }), code),
  jobStatus: (client, server, code) => rejection(client.jobStatus('H:1', { server }), code),
  'jobStatus of an id': (client, server, code) => rejection(client.jobStatus(`${server}//H:1`), code),
  jobStatusByUnique: (client, server, code) => rejection(client.jobStatusByUnique('u', { server }), code),
};

/** The errors of each server that an error has as its cause. */
function causes({ cause }: GearmanError): unknown[] {
  assert.ok(cause instanceof AggregateError, String(cause));
  return cause.errors.map((each) => (each as GearmanError).server);
}

describe('a server that is named in another spelling', () => {
  /** Two servers, the first with the name and as the address that are given. */
  async function two(t: TestContext, name: string | undefined, options = {}) {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const servers = [{ host: 'localhost', port: peer.port, name }, other.name];
    const clock = new Clock();
    const client = clientOf(t, [], { ...options, servers }, clock);
    return { peer, other, clock, client, known: { name: name ?? `localhost:${peer.port}` } };
  }

  for (const [what, name, spell] of [
    ['upper case', undefined, (port: number) => `LOCALHOST:${port}`],
    ['blanks around it', undefined, (port: number) => ` localhost:${port} `],
    ['its place, although it has a name', 'blue', (port: number) => `Localhost:${port}`],
  ] as const) {
    for (const [method, call] of Object.entries(CALLS)) {
      it(`(${what}) and cannot be reached says so, why, and its name: ${method}`, async (t) => {
        const { peer, other, clock, client, known } = await two(t, name, { timeout: 80 });
        peer.refuse();
        const failed = call(client, spell(peer.port), 'GEARMAN_COULD_NOT_CONNECT');
        await Promise.race([failed, untilState(client, known, 'paused')]);
        await clock.advanceUntil(failed);
        const error = await failed;
        assert.equal(error.server, known.name);
        assert.deepEqual(causes(error), [known.name]);
        assert.match(error.message, /ECONNREFUSED/);
        assert.deepEqual(other.requests, []);
      });
    }

    it(`(${what}) and has no room says so, and its name`, async (t) => {
      const { peer, clock, client, known } = await two(t, name, { maxInFlight: 1, timeout: Infinity });
      const server = spell(peer.port);
      const first = client.doBackground('f', 'w', { server: known.name });
      const connection = await peer.connection(0);
      await connection.received(1);
      connection.send(jobCreated('H:first'));
      await first;
      const full = client.doBackground('f', 'w', { server: known.name });
      await connection.received(2);
      const late = rejection(client.doBackground('f', 'w', { server, timeout: 80 }), 'GEARMAN_TIMEOUT');
      const ping = client.ping({ server, timeout: 80 });
      clock.advance(80);
      const error = await late;
      assert.deepEqual([error.server, error.maybeSubmitted], [known.name, false]);
      assert.deepEqual(causes(error), [known.name]);
      assert.match(error.message, new RegExp(`no job server had room within 80 ms \\(${known.name}\\)`));
      const [result] = await ping;
      assert.deepEqual([result?.server, result?.error?.code], [known.name, 'GEARMAN_TIMEOUT']);
      assert.equal(stateOf(client, known).state, 'up');
      connection.send(jobCreated('H:full'));
      await full;
    });

    it(`(${what}) gets the job, which has its name`, async (t) => {
      const { peer, client, known } = await two(t, name);
      peer.follow(serve);
      const { server, id } = await client.submitBackground('f', 'w', { server: spell(peer.port) });
      assert.deepEqual([server, id], [known.name, `${known.name}//H:peer:1`]);
    });
  }
});

describe('a call whose only server was removed meanwhile was right, and says that this server could not be reached', () => {
  /** Two servers of which the first has answered one call and answers nothing more; `room` for one request or for all. */
  async function two(t: TestContext, maxInFlight = 1024) {
    const [peer, other] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const client = clientOf(t, [peer, other], { maxInFlight }, new Clock());
    const proof = client.doBackground('f', 'w', { server: peer.name });
    const connection = await peer.connection(0);
    await connection.received(1);
    connection.send(jobCreated('H:proof'));
    await proof;
    return { peer, other, client, connection };
  }

  const QUESTIONS: Readonly<Record<string, (client: GearmanClient, server: string) => Promise<unknown>>> = {
    'the handle that it issued': (client) => client.jobStatus('H:proof'),
    'a handle and its name': (client, server) => client.jobStatus('H:other', { server }),
    'an id': (client, server) => client.jobStatus(`${server}//H:other`),
    'a unique ID and its name': (client, server) => client.jobStatusByUnique('u', { server }),
  };
  for (const [what, ask] of Object.entries(QUESTIONS)) {
    it(`a question for ${what} that was written and lost`, async (t) => {
      const { peer, other, client, connection } = await two(t);
      const call = ask(client, peer.name);
      await connection.received(2);
      client.removeServer(peer.name);
      assert.equal(await isPending(call), true, 'it may still be answered');
      connection.reset();
      const error = await rejection(call, 'GEARMAN_COULD_NOT_CONNECT');
      assert.deepEqual([error.unreachable, error.server], [[peer.name], peer.name]);
      assert.match(error.message, /was removed from the pool/);
      assert.deepEqual(other.requests, []);
    });

    it(`a question for ${what} that waits for room`, async (t) => {
      const { peer, client, connection } = await two(t, 1);
      client.doBackground('f', 'w', { server: peer.name }).catch(silent);
      const call = ask(client, peer.name);
      await connection.received(2);
      client.removeServer(peer.name);
      const error = await rejection(call, 'GEARMAN_COULD_NOT_CONNECT');
      assert.deepEqual([error.unreachable, error.server], [[peer.name], peer.name]);
    });

    it(`a question for ${what} that waits for the end of a pause`, async (t) => {
      const { peer, client } = await two(t);
      peer.crash();
      await untilState(client, peer, 'idle');
      await client.ping({ server: peer.name });
      const call = ask(client, peer.name);
      assert.equal(await isPending(call), true);
      client.removeServer(peer.name);
      const error = await rejection(call, 'GEARMAN_COULD_NOT_CONNECT');
      assert.deepEqual(error.unreachable, [peer.name]);
    });
  }

  it('a job that was written, lost, and would be submitted again: it may be there', async (t) => {
    const { peer, other, client, connection } = await two(t);
    const call = client.doBackground('f', 'w', { unique: 'u', server: peer.name, resubmit: true });
    await connection.received(2);
    client.removeServer(peer.name);
    connection.reset();
    const error = await rejection(call, 'GEARMAN_COULD_NOT_CONNECT');
    assert.equal(error.name, 'GearmanConnectionError');
    assert.deepEqual([error.maybeSubmitted, error.server, error.function, error.unique], [true, peer.name, 'f', 'u']);
    assert.match(error.message, /was removed from the pool/);
    await settleDown();
    assert.deepEqual(other.requests, []);
  });

  it('a job that was lost to a server that is left alone now, and waits to be submitted again', async (t) => {
    const { peer, client, connection } = await two(t);
    const call = client.doBackground('f', 'w', { server: peer.name, resubmit: true });
    await connection.received(2);
    peer.crash();
    await untilState(client, peer, 'paused');
    assert.equal(await isPending(call), true);
    client.removeServer(peer.name);
    assert.equal((await rejection(call, 'GEARMAN_COULD_NOT_CONNECT')).maybeSubmitted, true);
  });

  it('a job that waits for room was not submitted', async (t) => {
    const { peer, client, connection } = await two(t, 1);
    client.doBackground('f', 'w', { server: peer.name }).catch(silent);
    const call = client.doBackground('f', 'w', { unique: 'u', server: peer.name });
    await connection.received(2);
    client.removeServer(peer.name);
    const error = await rejection(call, 'GEARMAN_COULD_NOT_CONNECT');
    assert.deepEqual([error.maybeSubmitted, error.server, error.unique], [false, peer.name, 'u']);
  });

  it('a ping that waits for room', async (t) => {
    const { peer, client, connection } = await two(t, 1);
    client.doBackground('f', 'w', { server: peer.name }).catch(silent);
    const ping = client.ping({ server: peer.name });
    await connection.received(2);
    client.removeServer(peer.name);
    const [result] = await ping;
    assert.deepEqual([result?.server, result?.error?.code], [peer.name, 'GEARMAN_COULD_NOT_CONNECT']);
  });

  it('a watch goes on asking, and says so when its time is over', async (t) => {
    const { client, clock, peer } = await proven(t);
    client.addServer('127.0.0.1', (await Peer.start(t, serve)).port);
    client.removeServer(peer.name);
    const next = rejection(
      client.watch('H:proof', { timeout: 500 })[Symbol.asyncIterator]().next(),
      'GEARMAN_COULD_NOT_CONNECT',
    );
    await clock.advanceUntil(next);
    assert.deepEqual((await next).unreachable, [peer.name]);
    assert.equal(clock.now(), 500);
  });

  it('but one that names it when it is gone is wrong', async (t) => {
    const { peer, client } = await two(t);
    client.removeServer(peer.name);
    for (const [method, call] of Object.entries(CALLS)) {
      const error = await call(client, peer.name, 'GEARMAN_INVALID_ARGUMENT');
      assert.equal(error.server, peer.name, method);
      assert.match(error.message, /is not in the pool/);
    }
  });
});
