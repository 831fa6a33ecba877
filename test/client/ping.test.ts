/** An echo of every server. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientOf, isPending, proven, rejection, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, dieOnRequest, echoRes, errorPacket, hangUp, jobCreated, serve } from '../support/peer.js';

const silent = (): void => undefined;

describe('ping', () => {
  it('says of every server how long it took, or why it did not answer, in the order of the pool', async (t) => {
    const [a, b, c] = [await Peer.start(t, silent), await Peer.start(t), await Peer.start(t, dieOnRequest)];
    b.refuse();
    const clock = new Clock();
    const client = clientOf(t, [a, b, c], {}, clock);
    const ping = client.ping();
    const connection = await a.connection(0);
    const echo = await connection.request(0);
    assert.equal(echo.name, 'ECHO_REQ');
    clock.advance(17);
    connection.send(echoRes(echo.data));
    const [first, second, third] = await ping;
    assert.deepEqual(first, { server: a.name, ms: 17 });
    assert.deepEqual([second?.server, second?.error?.code], [b.name, 'GEARMAN_COULD_NOT_CONNECT']);
    assert.deepEqual([third?.server, third?.error?.code], [c.name, 'GEARMAN_LOST_CONNECTION']);
  });

  it('asks one server if that is named', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const results = await clientOf(t, [a, b]).ping({ server: b.name });
    assert.deepEqual(
      results.map(({ server }) => server),
      [b.name],
    );
    assert.equal(a.connections.length, 0);
  });

  it('asks at once, also during the pause after a failure, and proves a server that has come back', async (t) => {
    const peer = await Peer.start(t, serve);
    peer.refuse();
    const client = clientOf(t, [peer], {}, new Clock());
    assert.equal((await client.ping())[0]?.error?.code, 'GEARMAN_COULD_NOT_CONNECT');
    await untilState(client, peer, 'paused');
    await peer.reopen();
    assert.equal((await client.ping())[0]?.error, undefined);
    assert.equal(stateOf(client, peer).state, 'up');
  });

  it('has the reason at once, also when calls wait for that server, which wait on', async (t) => {
    const peer = await Peer.start(t, serve);
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer], {}, clock);
    const calls = Promise.all(['a', 'b', 'c'].map((unique) => client.doBackground('f', 'w', unique)));
    await untilState(client, peer, 'paused');
    const [result] = await client.ping();
    assert.equal(result?.error?.code, 'GEARMAN_COULD_NOT_CONNECT');
    assert.equal((result.error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
    assert.equal(clock.now(), 0, 'it has not waited for its timeout, nor for the end of the pause');
    assert.equal(await isPending(calls), true);
    await peer.reopen();
    await clock.advanceUntil(calls);
    assert.deepEqual(
      peer.requests.map(({ args }) => args[1]),
      ['a', 'b', 'c'],
    );
  });

  it('is the trial of a server that calls wait for: they come after its answer', async (t) => {
    const peer = await Peer.start(t, silent);
    peer.refuse();
    const client = clientOf(t, [peer], {}, new Clock());
    const calls = Promise.all(['a', 'b'].map((unique) => client.doBackground('f', 'w', unique)));
    await untilState(client, peer, 'paused');
    await peer.reopen();
    const ping = client.ping();
    const connection = await peer.connection(0);
    const echo = await connection.request(0);
    assert.equal(await isPending(calls), true);
    assert.deepEqual(connection.names, ['ECHO_REQ']);
    connection.send(echoRes(echo.data));
    assert.equal((await ping)[0]?.error, undefined);
    await connection.received(3);
    connection.send(jobCreated('H:a'), jobCreated('H:b'));
    assert.deepEqual(await calls, ['H:a', 'H:b']);
  });

  it('leaves calls that wait for that server their deadlines', async (t) => {
    const peer = await Peer.start(t);
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer], { timeout: 500 }, clock);
    const calls = ['a', 'b'].map((unique) =>
      rejection(client.doBackground('f', 'w', unique), 'GEARMAN_COULD_NOT_CONNECT'),
    );
    await untilState(client, peer, 'paused');
    await client.ping();
    await clock.advanceUntil(Promise.all(calls));
    assert.equal(clock.now(), 500);
  });

  it('waits its turn while a server on trial has not answered its request', async (t) => {
    const peer = await Peer.start(t, silent);
    peer.refuse();
    const clock = new Clock();
    const client = clientOf(t, [peer], {}, clock);
    const trial = client.doBackground('f', 'w');
    await untilState(client, peer, 'paused');
    await peer.reopen();
    clock.advance(50);
    const connection = await peer.connection(0);
    await connection.received(1);
    const ping = client.ping();
    assert.equal(await isPending(ping), true);
    assert.deepEqual(connection.names, ['SUBMIT_JOB_BG']);
    connection.send(jobCreated('H:1'));
    await trial;
    const echo = await connection.request(1);
    connection.send(echoRes(echo.data));
    assert.equal((await ping)[0]?.error, undefined);
  });

  it('has a result in time when a server accepts and says nothing', async (t) => {
    const [a, b] = [await Peer.start(t, silent), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [a, b], { timeout: 800 }, clock);
    const ping = client.ping();
    await (await a.connection(0)).received(1);
    clock.advance(799);
    assert.equal(await isPending(ping), true);
    clock.advance(1);
    const [first, second] = await ping;
    assert.equal(first?.error?.code, 'GEARMAN_TIMEOUT');
    assert.match(first.error.message, new RegExp(`${a.name} did not answer within 800 ms`));
    assert.equal(second?.error, undefined);
  });

  it('that was never written says that there was no room, and throws no doubt on the server', async (t) => {
    const { client, clock, connection, peer } = await proven(t, { maxInFlight: 1 });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    const ping = client.ping({ timeout: 200 });
    clock.advance(199);
    assert.equal(await isPending(ping), true);
    clock.advance(1);
    const [result] = await ping;
    assert.equal(result?.error?.code, 'GEARMAN_TIMEOUT');
    assert.match(result.error.message, new RegExp(`no job server had room within 200 ms \\(${peer.name}\\)`));
    assert.doesNotMatch(result.error.message, /did not answer/);
    assert.equal(stateOf(client, peer).state, 'up');
    connection.send(jobCreated('H:1'));
    assert.equal(await call, 'H:1');
    assert.deepEqual(connection.names, ['SUBMIT_JOB_BG', 'SUBMIT_JOB_BG']);
  });

  it('has a timeout of its own, and throws doubt on the server then', async (t) => {
    const { client, clock, connection, peer } = await proven(t);
    const ping = client.ping({ timeout: 40 });
    await connection.received(2);
    clock.advance(40);
    assert.equal((await ping)[0]?.error?.code, 'GEARMAN_TIMEOUT');
    assert.equal(stateOf(client, peer).state, 'suspect');
  });

  it('takes an ERROR for a sign of life', async (t) => {
    const { client, connection } = await proven(t);
    const ping = client.ping();
    await connection.received(2);
    connection.send(errorPacket('INVALID_COMMAND', 'Command not expected'));
    assert.equal((await ping)[0]?.error, undefined);
  });

  it('goes out among the other requests', async (t) => {
    const { client, connection } = await proven(t);
    const calls = Promise.all([client.doBackground('f', 'w'), client.ping(), client.doBackground('f', 'w')]);
    const requests = await connection.received(4);
    connection.send(jobCreated('H:1'), echoRes(requests[2]?.data ?? Buffer.alloc(0)), jobCreated('H:2'));
    const [first, , second] = await calls;
    assert.deepEqual([first, second], ['H:1', 'H:2']);
  });

  it('can be aborted', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, silent)];
    const client = clientOf(t, [a, b]);
    const abort = new AbortController();
    const ping = rejection(client.ping({ signal: abort.signal }), 'GEARMAN_ABORTED');
    await (await b.connection(0)).received(1);
    abort.abort();
    await ping;
    await rejection(client.ping({ signal: abort.signal }), 'GEARMAN_ABORTED');
  });

  it('is not answered by a server that hangs up, nor by one that is removed', async (t) => {
    const [a, b] = [await Peer.start(t, hangUp), await Peer.start(t, silent)];
    const client = clientOf(t, [a, b]);
    const ping = client.ping();
    await (await b.connection(0)).received(1);
    client.removeServer(b.name);
    (await b.connection(0)).end();
    assert.deepEqual(
      (await ping).map(({ error }) => error instanceof Error),
      [true, true],
    );
  });
});
