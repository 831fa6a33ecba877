/** What comes and was not asked for, and requests that need not be answered. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decoder } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';
import { PACKET_TYPES, TYPE } from '../../src/protocol/packet.js';
import { Replies } from '../../src/transport/replies.js';
import { Request } from '../../src/transport/request.js';
import { assertDestroyed, proven, stateOf } from '../support/client.js';
import { anyPacket } from '../support/packets.js';
import { jobCreated } from '../support/peer.js';

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('a packet that nobody asked for', () => {
  const ofServer = PACKET_TYPES.flatMap((type) => (type?.senders.includes('server') === true ? [type] : []));
  const work = ['WORK_STATUS', 'WORK_COMPLETE', 'WORK_FAIL', 'WORK_EXCEPTION', 'WORK_DATA', 'WORK_WARNING'];
  const ignoredWhenIdle = [...work, 'ERROR', 'ECHO_RES', 'OPTION_RES', 'NOOP', 'NO_JOB'];

  for (const { name, number } of ofServer) {
    const isIgnored = ignoredWhenIdle.includes(name);
    it(`${name}: ${isIgnored ? 'is ignored' : 'destroys the connection'} when nothing is pending`, async (t) => {
      const { client, clock, connection, peer } = await proven(t);
      connection.send(anyPacket(number));
      if (!isIgnored) {
        await connection.closed;
        assert.equal(stateOf(client, peer).state, 'paused');
        return;
      }
      await clock.hasRead(connection.socket.bytesWritten);
      const call = client.doBackground('f', 'w');
      await connection.received(2);
      connection.send(jobCreated('H:1'));
      assert.equal(await call, 'H:1');
      assert.equal(peer.connections.length, 1);
    });
  }

  for (const { name, number } of ofServer.filter(
    ({ number }) => number !== TYPE.JOB_CREATED && number !== TYPE.ERROR,
  )) {
    const isIgnored = work.includes(name) || name === 'NOOP';
    it(`${name}: ${isIgnored ? 'is ignored' : 'destroys the connection'} when a submission is pending`, async (t) => {
      const { client, connection } = await proven(t);
      const call = client.doBackground('f', 'w');
      await connection.received(2);
      connection.send(anyPacket(number), jobCreated('H:1'));
      if (isIgnored) assert.equal(await call, 'H:1');
      else await assertDestroyed(call, 'GEARMAN_UNEXPECTED_PACKET');
    });
  }

  it('is counted: more than maxPacketSize of them destroy the connection', async (t) => {
    const { client, connection } = await proven(t, { maxPacketSize: 1000 });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    connection.send(anyPacket(TYPE.WORK_DATA, 400), anyPacket(TYPE.WORK_DATA, 400), anyPacket(TYPE.WORK_DATA, 400));
    const error = await assertDestroyed(call, 'GEARMAN_DATA_TOO_LARGE');
    assert.match(error.message, /maxPacketSize/);
  });

  it('is counted from the last real answer on', async (t) => {
    const { client, connection } = await proven(t, { maxPacketSize: 1000 });
    for (const index of indexes(5)) {
      const call = client.doBackground('f', 'w');
      await connection.received(2 + index);
      connection.send(anyPacket(TYPE.WORK_DATA, 400), jobCreated(`H:${index}`), anyPacket(TYPE.WORK_DATA, 400));
      assert.equal(await call, `H:${index}`);
    }
  });

  it('is ignored without limit when it is about a job that this connection issued', async (t) => {
    const { client, connection } = await proven(t, { maxPacketSize: 1000 });
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    for (let count = 0; count < 10; count++)
      connection.send(encode('RES', TYPE.WORK_DATA, ['H:proof'], Buffer.alloc(400)));
    connection.send(jobCreated('H:1'));
    assert.equal(await call, 'H:1');
  });
});

describe('a request that a server may leave unanswered', () => {
  /** As an OPTION_REQ is, which not every server knows. */
  class Asked extends Request {
    override readonly server = undefined;
    override readonly job = undefined;
    override readonly isSticky = false;
    override readonly isOptional: boolean;
    readonly #type: number;
    readonly answers: number[] = [];

    constructor(type: number, isOptional = false) {
      super();
      this.#type = type;
      this.isOptional = isOptional;
    }

    override isAnsweredBy(type: number): boolean {
      return type === this.#type || type === TYPE.ERROR;
    }

    override onReply({ type }: Packet): void {
      this.answers.push(type);
    }

    override write(): void {}
    override onUnsent(): void {}
    override onLost(): void {}
    override onRefused(): void {}
    override onDue(): void {}
  }

  function pipeline() {
    const replies = new Replies('peer', 1000, () => false);
    const option = new Asked(TYPE.OPTION_RES, true);
    const job = new Asked(TYPE.JOB_CREATED);
    replies.expect(option);
    replies.expect(job);
    const take = (...types: number[]): void => {
      for (const type of types) new Decoder('RES', 1000).push(anyPacket(type), (packet) => void replies.take(packet));
    };
    return { replies, option, job, take };
  }

  it('does not shift the answers of the others', () => {
    const { replies, option, job, take } = pipeline();
    take(TYPE.JOB_CREATED);
    assert.deepEqual([option.answers, job.answers, replies.pending], [[], [TYPE.JOB_CREATED], 0]);
  });

  it('gets its answer, or its ERROR, all the same', () => {
    for (const type of [TYPE.OPTION_RES, TYPE.ERROR]) {
      const { replies, option, job, take } = pipeline();
      take(type, TYPE.JOB_CREATED);
      assert.deepEqual([option.answers, job.answers, replies.pending], [[type], [TYPE.JOB_CREATED], 0]);
    }
  });

  it('is no excuse for an answer that fits none', () => {
    const { take } = pipeline();
    assert.throws(() => take(TYPE.STATUS_RES), { code: 'GEARMAN_UNEXPECTED_PACKET' });
  });
});
