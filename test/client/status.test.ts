/** Who is asked for the status of a job, and what becomes of several answers, or of none. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import type { GearmanError } from '../../src/errors.js';
import { clientOf, isPending, proven, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import {
  Peer,
  dieOnRequest,
  echoRes,
  errorPacket,
  jobCreated,
  serve,
  statusRes,
  statusResUnique,
  type PeerConnection,
  type PeerStatus,
  type Script,
} from '../support/peer.js';

const silent: Script = () => undefined;
const NONE = [false, false, 0, 0] as const;
const RUNNING: PeerStatus = [true, true, 3, 14];

/** Peers that are all up: each has acknowledged one job, with the handle `H:same:1`. */
async function upAndRunning(t: TestContext, count: number) {
  const peers: Peer[] = [];
  for (let index = 0; index < count; index++) peers.push(await Peer.start(t, silent, serve));
  const clock = new Clock();
  const client = clientOf(t, peers, {}, clock);
  const connections: PeerConnection[] = [];
  for (const [index, peer] of peers.entries()) {
    const call = client.doBackground('f', 'w', { server: peer.name });
    const connection = await peer.connection(0);
    await connection.received(1);
    connection.send(jobCreated(`H:proof:${index}`));
    await call;
    connections.push(connection);
  }
  const [a, b, c] = peers;
  const [toA, toB, toC] = connections;
  assert.ok(a !== undefined && b !== undefined && toA !== undefined && toB !== undefined);
  return { client, clock, peers, a, b, c, toA, toB, toC };
}

/** The peer dies, and the client finds that it cannot be reached. */
async function bringDown(client: GearmanClient, peer: Peer): Promise<void> {
  peer.crash();
  await untilState(client, peer, 'idle');
  await client.ping({ server: peer.name });
  assert.equal(stateOf(client, peer).state, 'paused');
}

describe('a handle that this client got', () => {
  it('is asked of the server that issued it, alone', async (t) => {
    const { client, peers, a, toB } = await upAndRunning(t, 3);
    const status = client.jobStatus('H:proof:1');
    await toB.received(2);
    toB.send(statusRes('H:proof:1', RUNNING));
    assert.deepEqual(await status, [true, true, 3, 14]);
    assert.deepEqual(
      peers.map(({ requests }) => requests.length),
      [1, 2, 1],
    );
    assert.equal(a.requests.length, 1);
  });

  it('is unknown once the job has ended', async (t) => {
    const { client, connection } = await proven(t);
    const status = client.jobStatus('H:proof');
    await connection.received(2);
    connection.send(statusRes('H:proof'));
    assert.deepEqual(await status, NONE);
  });

  it('is not called done when its server was removed', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b]);
    const handle = await client.doBackground('f', 'w', { server: a.name });
    client.removeServer(a.name);
    const error = await rejection(client.jobStatus(handle), 'GEARMAN_COULD_NOT_CONNECT');
    assert.match(error.message, /was removed from the pool/);
    assert.deepEqual(error.unreachable, [a.name]);
  });

  it('that looks like an id is a handle all the same', async (t) => {
    const { client, connection } = await proven(t);
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    connection.send(jobCreated('H:odd//name:1'));
    const handle = await call;
    const status = client.jobStatus(handle);
    assert.deepEqual((await connection.request(2)).args, [handle]);
    connection.send(statusRes(handle, RUNNING));
    assert.deepEqual(await status, RUNNING);
  });

  describe('from several servers', () => {
    async function collide(t: TestContext) {
      const pool = await upAndRunning(t, 3);
      const { client, a, b, toA, toB } = pool;
      const calls = [a, b].map(({ name }) => client.doBackground('f', 'w', { server: name }));
      for (const connection of [toA, toB]) {
        await connection.received(2);
        connection.send(jobCreated('H:same:1'));
      }
      assert.deepEqual(await Promise.all(calls), ['H:same:1', 'H:same:1']);
      return pool;
    }

    it('is asked of those, and unknown when all say so', async (t) => {
      const { client, c, toA, toB } = await collide(t);
      const status = client.jobStatus('H:same:1');
      await Promise.all([toA.received(3), toB.received(3)]);
      toA.send(statusRes('H:same:1'));
      assert.equal(await isPending(status), true);
      toB.send(statusRes('H:same:1'));
      assert.deepEqual(await status, NONE);
      assert.equal(c?.requests.length, 1);
    });

    for (const knowers of [1, 2]) {
      it(`is ambiguous when ${knowers === 1 ? 'one' : 'both'} of them knows it`, async (t) => {
        const { client, a, toA, toB } = await collide(t);
        const status = rejection(client.jobStatus('H:same:1'), 'GEARMAN_AMBIGUOUS_HANDLE');
        await Promise.all([toA.received(3), toB.received(3)]);
        toA.send(statusRes('H:same:1', RUNNING));
        toB.send(statusRes('H:same:1', knowers === 2 ? RUNNING : undefined));
        const error = await status;
        assert.equal(error.handle, 'H:same:1');
        assert.match(error.message, new RegExp(a.name));
        assert.match(error.message, /\bid\b.*server/);
      });
    }

    it('is settled by an id or by the option server', async (t) => {
      const { client, a, b, toB } = await collide(t);
      const statuses = [client.jobStatus(`${b.name}//H:same:1`), client.jobStatus('H:same:1', { server: b.name })];
      await toB.received(4);
      toB.send(statusRes('H:same:1', RUNNING), statusRes('H:same:1', [true, false, 0, 0]));
      assert.deepEqual(await Promise.all(statuses), [RUNNING, [true, false, 0, 0]]);
      assert.equal(a.requests.length, 2);
    });

    it('is not called done when one of them cannot be asked', async (t) => {
      const { client, clock, b, toA, toB } = await collide(t);
      b.crash();
      await toB.closed;
      await untilState(client, b, 'idle');
      const status = rejection(client.jobStatus('H:same:1'), 'GEARMAN_COULD_NOT_CONNECT');
      await toA.received(3);
      toA.send(statusRes('H:same:1'));
      await clock.advanceUntil(status);
      assert.deepEqual((await status).unreachable, [b.name]);
    });
  });
});

describe('an id', () => {
  it('is asked of its server, also when another one has issued the handle', async (t) => {
    const { client, a, b, toB } = await upAndRunning(t, 2);
    const status = client.jobStatus(`${b.name}//H:proof:0`);
    await toB.received(2);
    toB.send(statusRes('H:proof:0', RUNNING));
    assert.deepEqual(await status, RUNNING);
    assert.deepEqual([a.requests.length, b.requests.length], [1, 2]);
  });

  it("may have the server's own name", async (t) => {
    const peer = await Peer.start(t, serve);
    const other = await Peer.start(t, serve);
    peer.statuses.set('H:1', RUNNING);
    const client = clientOf(t, [], {
      servers: [{ host: '127.0.0.1', port: peer.port, name: 'blue' }, other.name],
    });
    assert.deepEqual(await client.jobStatus('blue//H:1'), RUNNING);
    assert.deepEqual(await client.jobStatus('H:1', { server: 'blue' }), RUNNING);
    assert.deepEqual(await client.jobStatus(`${peer.name}//H:1`), RUNNING);
    assert.equal(other.requests.length, 0);
  });

  it("may have the server's place although it has a name of its own, written in any way", async (t) => {
    const [peer, other] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const servers = [{ host: 'LocalHost', port: peer.port, name: 'blue' }, other.name];
    const client = clientOf(t, [], { servers });
    const { id, handle } = await client.submitBackground('f', 'w', { server: 'blue' });
    peer.statuses.set(handle, RUNNING);
    assert.equal(id, `blue//${handle}`);
    for (const place of [`localhost:${peer.port}`, `LOCALHOST:${peer.port}`]) {
      assert.deepEqual(await client.jobStatus(`${place}//${handle}`), RUNNING);
      assert.deepEqual(await client.jobStatus(handle, { server: place }), RUNNING);
    }
    assert.deepEqual(other.requests, []);
  });

  it("has its server's name, where that is the place of another one", async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    a.statuses.set('H:1', RUNNING);
    // Whoever wrote this meant the name.
    const servers = [
      { host: '127.0.0.1', port: b.port, name: 'b' },
      { host: '127.0.0.1', port: a.port, name: b.name },
    ];
    assert.deepEqual(await clientOf(t, [], { servers }).jobStatus(`${b.name}//H:1`), RUNNING);
    assert.deepEqual(b.requests, []);
  });

  it('may be written as addServers reads it', async (t) => {
    const peer = await Peer.start(t, serve);
    peer.statuses.set('H:1', RUNNING);
    const client = clientOf(t, [], { servers: `localhost:${peer.port}` });
    assert.deepEqual(await client.jobStatus(`LOCALHOST:${peer.port}//H:1`), RUNNING);
  });

  it('never opens a connection to a stranger', async (t) => {
    const [peer, stranger] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const error = await rejection(clientOf(t, [peer]).jobStatus(`${stranger.name}//H:1`), 'GEARMAN_INVALID_ARGUMENT');
    assert.equal(error.server, stranger.name);
    assert.match(error.message, /addServer/);
    assert.equal(stranger.connections.length, 0);
  });
});

for (const kind of ['handle', 'unique'] as const) {
  const answer = (status?: PeerStatus): Buffer =>
    kind === 'handle' ? statusRes('H:x:1', status) : statusResUnique('H:x:1', status, 2);
  const expected = (status: readonly unknown[]): unknown[] =>
    kind === 'handle' ? [...status] : [...status, status[0] === true ? 2 : 0];
  const zeros = kind === 'handle' ? [...NONE] : [...NONE, 0];
  const noOne = (): Buffer => (kind === 'handle' ? statusRes('H:x:1') : statusResUnique('H:x:1'));

  describe(kind === 'handle' ? 'a handle that nobody remembers' : 'a unique ID', () => {
    const ask = (client: GearmanClient, options?: { timeout?: number; server?: string }) =>
      kind === 'handle' ? client.jobStatus('H:x:1', options) : client.jobStatusByUnique('H:x:1', options);

    it('is asked of all, and the one that knows it is the answer', async (t) => {
      const { client, toA, toB } = await upAndRunning(t, 2);
      const status = ask(client);
      const [asked] = await Promise.all([toA.request(1), toB.request(1)]);
      assert.equal(asked.name, kind === 'handle' ? 'GET_STATUS' : 'GET_STATUS_UNIQUE');
      toB.send(answer(RUNNING));
      assert.equal(await isPending(status), true, 'the other may know it, too');
      toA.send(noOne());
      assert.deepEqual(await status, expected(RUNNING));
    });

    it('is unknown when all have said so', async (t) => {
      const { client, toA, toB } = await upAndRunning(t, 2);
      const status = ask(client);
      await Promise.all([toA.received(2), toB.received(2)]);
      toA.send(noOne());
      assert.equal(await isPending(status), true);
      toB.send(noOne());
      assert.deepEqual(await status, zeros);
    });

    it('is ambiguous when several know it', async (t) => {
      const { client, a, b, toA, toB } = await upAndRunning(t, 2);
      const status = rejection(ask(client), 'GEARMAN_AMBIGUOUS_HANDLE');
      await Promise.all([toA.received(2), toB.received(2)]);
      toA.send(answer(RUNNING));
      toB.send(answer([true, false, 0, 0]));
      const error = await status;
      assert.match(error.message, new RegExp(`${a.name}, ${b.name}`));
      assert.equal(kind === 'handle' ? error.handle : error.unique, 'H:x:1');

      const settled = ask(client, { server: b.name });
      await toB.received(3);
      toB.send(answer([true, false, 0, 0]));
      assert.deepEqual(await settled, expected([true, false, 0, 0]));
      assert.equal(a.requests.length, 2);
    });

    it('does not wait for a server that is down when another one knows it', async (t) => {
      const { client, a, b, toA } = await upAndRunning(t, 2);
      await bringDown(client, b);
      const status = ask(client);
      await toA.received(2);
      toA.send(answer(RUNNING));
      assert.deepEqual(await status, expected(RUNNING));
      assert.equal(a.requests.length, 2);
    });

    it('is not called done when a server cannot be asked', async (t) => {
      const { client, b, toA } = await upAndRunning(t, 2);
      await bringDown(client, b);
      const status = rejection(ask(client), 'GEARMAN_COULD_NOT_CONNECT');
      await toA.received(2);
      toA.send(noOne());
      const error = await status;
      assert.deepEqual(error.unreachable, [b.name]);
      assert.ok(error.cause instanceof AggregateError);
      assert.match(error.message, new RegExp(b.name));
    });

    it('gives a server that was never tried one attempt', async (t) => {
      const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
      a.statuses.set('H:x:1', RUNNING);
      b.refuse();
      const client = clientOf(t, [a, b], {}, new Clock());
      assert.deepEqual((await ask(client)).slice(0, 4), RUNNING);
      assert.equal(stateOf(client, b).state, 'paused');
      a.statuses.clear();
      const error = await rejection(ask(client), 'GEARMAN_COULD_NOT_CONNECT');
      assert.deepEqual(error.unreachable, [b.name]);
    });

    it('waits connectTimeout for one that was never tried and does not answer', async (t) => {
      const [a, b] = [await Peer.start(t, serve), await Peer.start(t, silent)];
      a.statuses.set('H:x:1', RUNNING);
      const clock = new Clock();
      const client = clientOf(t, [a, b], { connectTimeout: 1000 }, clock);
      const status = ask(client);
      await (await b.connection(0)).received(1);
      clock.advance(999);
      assert.equal(await isPending(status), true);
      clock.advance(1);
      assert.equal(await isPending(status), false);
      assert.deepEqual((await status).slice(0, 4), RUNNING);
    });

    it('does not wait for a server that is in doubt when another one knows it', async (t) => {
      const { client, clock, b, toA, toB } = await upAndRunning(t, 2);
      const status = ask(client);
      await Promise.all([toA.received(2), toB.received(2)]);
      toA.send(answer(RUNNING));
      await clock.hasRead(toA.socket.bytesWritten + toB.socket.bytesWritten);
      assert.equal(await isPending(status), true);
      const late = rejection(client.doBackground('f', 'w', { server: b.name, timeout: 5 }), 'GEARMAN_TIMEOUT');
      await toB.received(3);
      clock.advance(5);
      await late;
      assert.equal(stateOf(client, b).state, 'suspect');
      assert.equal(await isPending(status), false);
      assert.deepEqual(await status, expected(RUNNING));

      const again = rejection(ask(client), 'GEARMAN_COULD_NOT_CONNECT');
      await toA.received(3);
      toA.send(noOne());
      assert.deepEqual((await again).unreachable, [b.name]);
      assert.deepEqual(toB.names.slice(2), ['SUBMIT_JOB_BG', 'ECHO_REQ'], 'the second question did not go there');
    });

    it('is taken from who knows it when the deadline comes, and that is no fault of the others', async (t) => {
      const { client, clock, toA, toB } = await upAndRunning(t, 2);
      const status = ask(client, { timeout: 50 });
      await Promise.all([toA.received(2), toB.received(2)]);
      toA.send(answer(RUNNING));
      await settleDown();
      clock.advance(50);
      assert.deepEqual(await status, expected(RUNNING));
    });

    it('times out when nobody answers', async (t) => {
      const { client, clock, a, b, toA, toB } = await upAndRunning(t, 2);
      const status = rejection(ask(client, { timeout: 50 }), 'GEARMAN_TIMEOUT');
      await Promise.all([toA.received(2), toB.received(2)]);
      clock.advance(50);
      const error = await status;
      assert.deepEqual(error.unreachable, [a.name, b.name]);
      assert.match(error.message, /did not answer within 50 ms/);
      assert.deepEqual(
        client.servers.map(({ state }) => state),
        ['suspect', 'suspect'],
      );
    });

    it('is refused when a server refuses it and no other one knows it', async (t) => {
      const { client, b, toA, toB } = await upAndRunning(t, 2);
      const status = rejection(ask(client), 'GEARMAN_SERVER_ERROR');
      await Promise.all([toA.received(2), toB.received(2)]);
      toB.send(errorPacket('INVALID_COMMAND', 'Command not expected'));
      toA.send(noOne());
      const error = await status;
      assert.deepEqual([error.server, error.serverCode, error.unreachable], [b.name, 'INVALID_COMMAND', undefined]);
    });

    it('is answered when a server refuses it and another one knows it', async (t) => {
      const { client, toA, toB } = await upAndRunning(t, 2);
      const status = ask(client);
      await Promise.all([toA.received(2), toB.received(2)]);
      toB.send(errorPacket('INVALID_COMMAND', 'Command not expected'));
      toA.send(answer(RUNNING));
      assert.deepEqual(await status, expected(RUNNING));
    });

    it('names all that could not be asked by its deadline, those before it, too', async (t) => {
      const { client, clock, a, b, toA, toB } = await upAndRunning(t, 2);
      const status = rejection(ask(client, { timeout: 50 }), 'GEARMAN_TIMEOUT');
      await Promise.all([toA.received(2), toB.received(2)]);
      a.refuse();
      toA.reset();
      await untilState(client, a, 'paused');
      clock.advance(50);
      const error = await status;
      assert.deepEqual(error.unreachable, [a.name, b.name]);
      const causes = (error.cause as AggregateError).errors as GearmanError[];
      assert.deepEqual(
        causes.map(({ code, server }) => [code, server]),
        [
          ['GEARMAN_COULD_NOT_CONNECT', a.name],
          ['GEARMAN_TIMEOUT', b.name],
        ],
      );
    });

    it('is asked again when the server closes the connection meanwhile', async (t) => {
      const { client, b, toA, toB } = await upAndRunning(t, 2);
      b.statuses.set('H:x:1', RUNNING);
      const status = ask(client);
      await Promise.all([toA.received(2), toB.received(2)]);
      toB.end();
      toA.send(noOne());
      assert.deepEqual((await status).slice(0, 4), RUNNING);
    });

    it('is asked of a server on trial, which it may prove', async (t) => {
      const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
      b.refuse();
      const clock = new Clock();
      const client = clientOf(t, [a, b], {}, clock);
      await client.ping();
      await untilState(client, b, 'paused');
      await b.reopen();
      b.statuses.set('H:x:1', RUNNING);
      clock.advance(50);
      assert.deepEqual((await ask(client)).slice(0, 4), RUNNING);
      assert.equal(stateOf(client, b).state, 'up');
    });
  });
}

describe('a question to one server', () => {
  it('is asked again on the next connection until the deadline', async (t) => {
    const peer = await Peer.start(t, dieOnRequest, dieOnRequest, dieOnRequest, serve);
    peer.statuses.set('H:1', RUNNING);
    const clock = new Clock();
    const client = clientOf(t, [peer], {}, clock);
    const status = client.jobStatus('H:1', { server: peer.name });
    await clock.advanceUntil(status);
    assert.deepEqual(await status, RUNNING);
    assert.deepEqual(peer.names, ['GET_STATUS', 'GET_STATUS', 'GET_STATUS', 'GET_STATUS']);
  });

  it('fails at the deadline when the server does not come back', async (t) => {
    const { client, clock, peer } = await proven(t, { timeout: 700 });
    peer.crash();
    await untilState(client, peer, 'idle');
    const status = rejection(client.jobStatus('H:proof'), 'GEARMAN_COULD_NOT_CONNECT');
    await clock.advanceUntil(status);
    const error = await status;
    assert.equal(clock.now(), 700);
    assert.deepEqual([error.handle, error.unreachable], ['H:proof', [peer.name]]);
    assert.match(error.message, /ECONNREFUSED/);
  });

  it('is not asked again after a protocol error', async (t) => {
    const { client, connection, peer } = await proven(t);
    const status = rejection(client.jobStatus('H:proof'), 'GEARMAN_LOST_CONNECTION');
    await connection.received(2);
    connection.send(jobCreated('H:nonsense'));
    const error = await status;
    assert.equal(error.server, peer.name);
    assert.equal((error.cause as { code?: string }).code, 'GEARMAN_UNEXPECTED_PACKET');
    await settleDown();
    assert.equal(peer.connections.length, 1);
  });

  it('waits while the server is in doubt', async (t) => {
    const { client, clock, connection } = await proven(t);
    const late = rejection(client.doBackground('f', 'w', { timeout: 5 }), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(5);
    await late;
    const status = client.jobStatus('H:proof');
    await settleDown();
    assert.equal(connection.requests.length, 3);
    connection.send(jobCreated('H:late'), echoRes(Buffer.alloc(0)));
    await connection.received(4);
    connection.send(statusRes('H:proof', RUNNING));
    assert.deepEqual(await status, RUNNING);
  });

  it('throws doubt on the server when it times out', async (t) => {
    const { client, clock, connection, peer } = await proven(t);
    const status = rejection(client.jobStatus('H:proof', { timeout: 5 }), 'GEARMAN_TIMEOUT');
    await connection.received(2);
    clock.advance(5);
    assert.deepEqual((await status).unreachable, [peer.name]);
    assert.equal((await connection.request(2)).name, 'ECHO_REQ');
  });
});
