/** Questions for the status of a job that meet a protocol error, or contradict themselves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import { GearmanArgumentError, type GearmanError } from '../../src/errors.js';
import { clientOf, isPending, proven, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import {
  Peer,
  after,
  errorPacket,
  jobCreated,
  serve,
  statusRes,
  statusResUnique,
  type PeerStatus,
  type Script,
} from '../support/peer.js';

const RUNNING: PeerStatus = [true, true, 3, 14];

/** Answers questions with what is no answer to them. */
const babble: Script = (connection, peer) => {
  connection.onRequest = (request) => {
    connection.send(
      request.name.startsWith('GET_') ? jobCreated('H:nonsense') : (peer.answer(request) ?? errorPacket()),
    );
  };
};

describe('a question that was not written yet', () => {
  it('is asked on the next connection when the answer to another call breaks the protocol', async (t) => {
    const { client, clock, peer, connection } = await proven(t, { maxInFlight: 1 });
    peer.statuses.set('H:proof', RUNNING);
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_LOST_CONNECTION');
    const status = client.jobStatus('H:proof');
    await connection.received(2);
    connection.send(statusRes('H:proof'));
    assert.equal((await call).maybeSubmitted, true);
    assert.equal(stateOf(client, peer).state, 'paused');
    await clock.advanceUntil(status);
    assert.deepEqual(await status, RUNNING);
    assert.deepEqual(
      [connection.names, peer.connections[1]?.names],
      [['SUBMIT_JOB_BG', 'SUBMIT_JOB_BG'], ['GET_STATUS']],
    );
  });

  it('and waits for one of several servers leaves the answer to the others then', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, () => undefined)];
    a.statuses.set('H:x', RUNNING);
    const client = clientOf(t, [a, b], { maxInFlight: 1 }, new Clock());
    const proof = client.doBackground('f', 'w', { server: b.name });
    const connection = await b.connection(0);
    await connection.received(1);
    connection.send(jobCreated('H:b'));
    await proof;
    const call = rejection(client.doBackground('f', 'w', { server: b.name }), 'GEARMAN_LOST_CONNECTION');
    await connection.received(2);
    const status = client.jobStatus('H:x');
    assert.equal(await isPending(status), true, 'the other may know it, too');
    connection.send(statusRes('H:x'));
    await call;
    assert.deepEqual(await status, RUNNING);
    assert.deepEqual(connection.names, ['SUBMIT_JOB_BG', 'SUBMIT_JOB_BG']);
  });
});

for (const kind of ['handle', 'unique ID'] as const) {
  const ask = (client: GearmanClient): Promise<readonly unknown[]> =>
    kind === 'handle' ? client.jobStatus('x') : client.jobStatusByUnique('x');

  describe(`a question about a ${kind} that was lost to a protocol error`, () => {
    /** Of two servers, both up, the second one breaks the protocol when it is asked. */
    async function ask2(t: Parameters<typeof clientOf>[0], status?: PeerStatus) {
      const [good, bad] = [await Peer.start(t, serve), await Peer.start(t, babble)];
      if (status !== undefined) good.statuses.set('x', status);
      const clock = new Clock();
      const client = clientOf(t, [good, bad], {}, clock);
      await client.ping();
      return { good, bad, clock, client };
    }

    it('is answered when another server knows it', async (t) => {
      const { bad, client } = await ask2(t, RUNNING);
      assert.deepEqual((await ask(client)).slice(0, 4), RUNNING);
      await untilState(client, bad, 'paused');
      assert.deepEqual([bad.connections.length, bad.requests.length], [1, 2], 'and was not asked again');
    });

    it('says that this server could not be asked when no other one knows it', async (t) => {
      const { good, bad, clock, client } = await ask2(t);
      const error = await rejection(ask(client), 'GEARMAN_COULD_NOT_CONNECT');
      assert.deepEqual(error.unreachable, [bad.name]);
      assert.equal(kind === 'handle' ? error.handle : error.unique, 'x');
      assert.match(error.message, new RegExp(`${bad.name} broke the protocol.*No other job server knows it`));
      const [cause, ...others] = (error.cause as AggregateError).errors as GearmanError[];
      assert.deepEqual([cause?.code, cause?.server, others], ['GEARMAN_LOST_CONNECTION', bad.name, []]);
      assert.equal((cause?.cause as GearmanError).code, 'GEARMAN_UNEXPECTED_PACKET');
      assert.deepEqual([clock.now(), bad.connections.length, good.requests.length], [0, 1, 2]);
    });

    it('names each server that broke it', async (t) => {
      const peers = [await Peer.start(t, babble), await Peer.start(t, babble)];
      const client = clientOf(t, peers, {}, new Clock());
      await client.ping();
      const error = await rejection(ask(client), 'GEARMAN_COULD_NOT_CONNECT');
      assert.deepEqual(error.unreachable?.toSorted(), peers.map(({ name }) => name).toSorted());
    });

    it('may be answered with another packet than this kind of question gets, which is a protocol error, too', async (t) => {
      const wrong = kind === 'handle' ? statusResUnique('x', RUNNING) : statusRes('x', RUNNING);
      const peer = await Peer.start(
        t,
        after(1, (connection) => {
          connection.onRequest = () => connection.send(wrong);
        }),
      );
      const other = await Peer.start(t, serve);
      const client = clientOf(t, [peer, other], {}, new Clock());
      await client.ping();
      const error = await rejection(ask(client), 'GEARMAN_COULD_NOT_CONNECT');
      assert.deepEqual(error.unreachable, [peer.name]);
    });
  });
}

describe('an id and the option server', () => {
  it('that name two servers contradict each other, before a byte is sent', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const client = clientOf(t, [a, b]);
    const calls = [
      client.jobStatus(`${a.name}//H:1`, { server: b.name }),
      client.jobStatus(`${b.name}//H:1`, { server: a.name }),
    ];
    for (const call of calls) {
      const error = await rejection(call, 'GEARMAN_INVALID_ARGUMENT');
      assert.equal(error instanceof GearmanArgumentError, true);
      assert.match(error.message, /The id names .*, the option server another/);
    }
    await settleDown();
    assert.deepEqual([a.connections.length, b.connections.length], [0, 0]);
  });

  it('may name the same one, written in any way', async (t) => {
    const [a, b] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    a.statuses.set('H:1', RUNNING);
    const client = clientOf(t, [], { servers: [`localhost:${a.port}`, b.name] });
    const name = `localhost:${a.port}`;
    for (const server of [name, name.toUpperCase(), ` ${name} `]) {
      assert.deepEqual(await client.jobStatus(`${name}//H:1`, { server }), RUNNING, server);
      assert.deepEqual(await client.jobStatus(`${server}//H:1`, { server: name }), RUNNING, server);
    }
    assert.deepEqual(b.requests, []);
  });
});
