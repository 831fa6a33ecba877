/** A background job as an object: what to store of it, and how it asks for itself. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientOf, proven, rejection, settleDown } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, echoRes, errorPacket, jobCreated, serve, statusRes, statusResUnique } from '../support/peer.js';

describe('a background job', () => {
  it('says where it is and what it is called', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer], { prefix: 'p:' });
    const job = await client.submitBackground('f', 'w', { unique: 'u' });
    assert.deepEqual(
      { id: job.id, handle: job.handle, server: job.server, function: job.function, unique: job.unique },
      { id: `${peer.name}//H:peer:1`, handle: 'H:peer:1', server: peer.name, function: 'f', unique: 'u' },
    );
  });

  it("has its server's own name in its id, and the id finds it from another client", async (t) => {
    const peer = await Peer.start(t, serve);
    const servers = { host: '127.0.0.1', port: peer.port, name: 'blue' };
    const job = await clientOf(t, [], { servers }).submitBackground('f', 'w');
    assert.equal(job.id, 'blue//H:peer:1');
    peer.statuses.set('H:peer:1', [true, true, 1, 2]);
    assert.deepEqual(await clientOf(t, [], { servers }).jobStatus(job.id), [true, true, 1, 2]);
  });

  it('asks by the unique ID that was made for it, its own server alone', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b]);
    const job = await client.submitBackground('f', 'w');
    a.statuses.set(job.unique, [true, true, 3, 14]);
    assert.deepEqual(await job.status(), [true, true, 3, 14]);
    assert.deepEqual([a.names, b.names], [['SUBMIT_JOB_BG', 'GET_STATUS_UNIQUE'], []]);
    assert.equal(a.requests[1]?.args[0], job.unique);
  });

  it('asks by its handle when the unique ID was given, for other jobs may have it', async (t) => {
    const peer = await Peer.start(t, serve);
    const job = await clientOf(t, [peer]).submitBackground('f', 'w', { unique: 'u' });
    peer.statuses.set(job.handle, [true, false, 0, 0]);
    assert.deepEqual(await job.status(), [true, false, 0, 0]);
    assert.deepEqual(peer.names, ['SUBMIT_JOB_BG', 'GET_STATUS']);
  });

  it('asks its own server also where another one issued the same handle', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b]);
    const [first, second] = [
      await client.submitBackground('f', 'w', { unique: 'u', server: a.name }),
      await client.submitBackground('f', 'w', { unique: 'u', server: b.name }),
    ];
    assert.equal(first.handle, second.handle);
    a.statuses.set(first.handle, [true, true, 1, 2]);
    assert.deepEqual(await first.status(), [true, true, 1, 2]);
    assert.deepEqual(await second.status(), [false, false, 0, 0]);
  });

  it('asks by its handle from then on when the server does not know GET_STATUS_UNIQUE', async (t) => {
    const { client, connection } = await proven(t);
    const submitted = client.submitBackground('f', 'w');
    await connection.received(2);
    connection.send(jobCreated('H:1'));
    const job = await submitted;
    const status = job.status();
    await connection.received(3);
    connection.send(errorPacket('INVALID_COMMAND', 'Command not expected'));
    await connection.received(4);
    connection.send(statusRes('H:1', [true, true, 1, 2]));
    assert.deepEqual(await status, [true, true, 1, 2]);
    const again = job.status();
    await connection.received(5);
    connection.send(statusRes('H:1'));
    assert.deepEqual(await again, [false, false, 0, 0]);
    assert.deepEqual(connection.names.slice(2), ['GET_STATUS_UNIQUE', 'GET_STATUS', 'GET_STATUS']);
  });

  it('does not fall back when the server just cannot be asked', async (t) => {
    const { client, clock, connection } = await proven(t);
    const submitted = client.submitBackground('f', 'w');
    await connection.received(2);
    connection.send(jobCreated('H:1'));
    const job = await submitted;
    const status = rejection(job.status({ timeout: 5 }), 'GEARMAN_TIMEOUT');
    await connection.received(3);
    clock.advance(5);
    assert.equal((await status).unique, job.unique);
    await connection.received(4);
    connection.send(statusResUnique(job.unique), echoRes(Buffer.alloc(0)));
    const abort = new AbortController();
    const aborted = rejection(job.status({ signal: abort.signal }), 'GEARMAN_ABORTED');
    await connection.received(5);
    abort.abort();
    await aborted;
    assert.equal(connection.names[4], 'GET_STATUS_UNIQUE');
  });

  it('takes its limits from the prototype of the options, too, as a question of the client does', async (t) => {
    class Limits {
      readonly #ms = 5;

      get timeout(): number {
        return this.#ms;
      }
    }
    const { client, clock, connection } = await proven(t);
    const submitted = client.submitBackground('f', 'w');
    await connection.received(2);
    connection.send(jobCreated('H:1'));
    const status = rejection((await submitted).status(new Limits()), 'GEARMAN_TIMEOUT');
    await connection.received(3);
    clock.advance(5);
    assert.match((await status).message, /within 5 ms/);
  });

  it('is watched by what it asks with', async (t) => {
    const peer = await Peer.start(t, serve);
    const clock = new Clock();
    const client = clientOf(t, [peer], {}, clock);
    const job = await client.submitBackground('f', 'w');
    peer.statuses.set(job.unique, [true, true, 1, 2]);
    const seen: number[] = [];
    const watched = (async () => {
      for await (const { numerator } of job.watch({ interval: 100 })) {
        seen.push(numerator);
        peer.statuses.delete(job.unique);
      }
    })();
    await clock.advanceUntil(watched);
    await watched;
    assert.deepEqual(seen, [1, 0]);
    assert.deepEqual(peer.names, ['SUBMIT_JOB_BG', 'GET_STATUS_UNIQUE', 'GET_STATUS_UNIQUE']);
    assert.throws(() => job.watch({ interval: -1 }), { code: 'GEARMAN_INVALID_ARGUMENT' });
  });

  it('whose server was removed says that it cannot ask it', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b]);
    const job = await client.submitBackground('f', 'w');
    client.removeServer(a.name);
    await rejection(job.status(), 'GEARMAN_INVALID_ARGUMENT');
    await settleDown();
    assert.equal(b.requests.length, 0);
  });

  it('rejects as doBackground does', async (t) => {
    const { client, connection, peer } = await proven(t);
    const submitted = rejection(client.submitBackground('f', 'w', { unique: 'u' }), 'GEARMAN_SERVER_ERROR');
    await connection.received(2);
    connection.send(errorPacket());
    const error = await submitted;
    assert.deepEqual([error.server, error.function, error.unique], [peer.name, 'f', 'u']);
  });
});
