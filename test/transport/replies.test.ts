/** Whose packet is this: answers come strictly in order, and what nobody asked for is ignored, counted or the end. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GearmanProtocolError, type GearmanErrorCode } from '../../src/errors.js';
import { Decoder } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import { PACKET_TYPES, TYPE, nameOfType } from '../../src/protocol/packet.js';
import { Replies } from '../../src/transport/replies.js';
import { Request } from '../../src/transport/request.js';

const LIMIT = 1000;

/** A request that notes what it is told. */
class Asked extends Request {
  override readonly server = undefined;
  override readonly job = undefined;
  override readonly isSticky = false;
  override readonly isOptional: boolean;
  readonly told: string[] = [];
  readonly #types: readonly number[];

  constructor(types: readonly number[], { isOptional = false, isSettled = false } = {}) {
    super();
    this.#types = types;
    this.isOptional = isOptional;
    this.settled = isSettled;
  }

  override isAnsweredBy(type: number): boolean {
    return this.#types.includes(type);
  }

  override onReply({ type }: { type: number }, server: string): void {
    this.told.push(`${nameOfType(type)} from ${server}`);
  }

  override onDoubt(): void {
    this.told.push('doubt');
  }

  override write(): void {}
  override onUnsent(): void {}
  override onLost(): void {}
  override onRefused(): void {}
  override onDue(): void {}
}

const job = (options = {}): Asked => new Asked([TYPE.JOB_CREATED, TYPE.ERROR], options);
const question = (options = {}): Asked => new Asked([TYPE.STATUS_RES, TYPE.ERROR], options);
const option = (): Asked => new Asked([TYPE.OPTION_RES, TYPE.ERROR], { isOptional: true });
/** GRAB_JOB: on a worker's connection an ERROR may be about something else. */
const grab = (): Asked => new Asked([TYPE.NO_JOB]);

interface Options {
  readonly requests?: readonly Request[];
  readonly issued?: readonly string[];
}

function setUp({ requests = [], issued = [] }: Options = {}) {
  const replies = new Replies('a:4730', LIMIT, (handle) => issued.includes(handle));
  for (const request of requests) replies.expect(request);
  const decoder = new Decoder('RES', 1_000_000);
  /** Gives a packet; says whether it was an answer. */
  const take = (bytes: Buffer): boolean => {
    const answers: boolean[] = [];
    decoder.push(bytes, (packet) => answers.push(replies.take(packet)));
    assert.equal(answers.length, 1);
    return answers[0] === true;
  };
  return { replies, take };
}

/** A packet of a type as a server sends it, about the handle where it has one. */
function packet(type: number, { handle = 'H:other', dataBytes = 0 } = {}): Buffer {
  const { args = [], data } = PACKET_TYPES[type] ?? {};
  const texts = args.map((name) => (name === 'handle' ? handle : '1'));
  return encode('RES', type, texts, data === undefined ? '' : Buffer.alloc(dataBytes));
}

function refuses(run: () => unknown, code: GearmanErrorCode, message: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof GearmanProtocolError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

const WORK = [
  TYPE.WORK_STATUS,
  TYPE.WORK_COMPLETE,
  TYPE.WORK_FAIL,
  TYPE.WORK_EXCEPTION,
  TYPE.WORK_DATA,
  TYPE.WORK_WARNING,
];
const HARMLESS_WHEN_IDLE = [TYPE.ERROR, TYPE.ECHO_RES, TYPE.OPTION_RES, TYPE.NOOP, TYPE.NO_JOB];
const RESPONSES = PACKET_TYPES.flatMap((type) => (type?.senders.includes('server') === true ? [type.number] : []));

describe('answers', () => {
  it('go to the requests in the order in which these were written', () => {
    const [first, second, third] = [job(), question(), job()];
    const { replies, take } = setUp({ requests: [first, second, third] });
    assert.equal(replies.pending, 3);
    for (const type of [TYPE.JOB_CREATED, TYPE.STATUS_RES, TYPE.JOB_CREATED]) assert.equal(take(packet(type)), true);
    assert.deepEqual(first.told, ['JOB_CREATED from a:4730']);
    assert.deepEqual(second.told, ['STATUS_RES from a:4730']);
    assert.deepEqual(third.told, ['JOB_CREATED from a:4730']);
    assert.equal(replies.pending, 0);
  });

  for (const position of [0, 1, 2]) {
    it(`may be an ERROR at position ${position}, which is that of the oldest request and of no other`, () => {
      const requests = [job(), question(), job()];
      const { take } = setUp({ requests });
      const types: number[] = [TYPE.JOB_CREATED, TYPE.STATUS_RES, TYPE.JOB_CREATED];
      types[position] = TYPE.ERROR;
      for (const type of types) assert.equal(take(packet(type)), true);
      assert.deepEqual(
        requests.map(({ told }) => told),
        types.map((type) => [`${nameOfType(type)} from a:4730`]),
      );
    });
  }

  it('of another type than the oldest request may get are the end, and that request is not told', () => {
    for (const type of [TYPE.STATUS_RES, TYPE.STATUS_RES_UNIQUE, TYPE.ECHO_RES, TYPE.OPTION_RES, TYPE.NO_JOB]) {
      const first = job();
      const { replies, take } = setUp({ requests: [first, question()] });
      refuses(() => take(packet(type)), 'GEARMAN_UNEXPECTED_PACKET', /^\w+ came as the answer to another request\.$/);
      assert.deepEqual(first.told, []);
      assert.equal(replies.pending, 2, 'all that was pending is lost with the connection');
    }
  });

  it('are an ERROR only for what may get one', () => {
    const { take } = setUp({ requests: [grab()] });
    refuses(() => take(packet(TYPE.ERROR)), 'GEARMAN_UNEXPECTED_PACKET', /ERROR/);
  });

  it('that the request refuses leave it among those that are lost', () => {
    const picky = job();
    picky.onReply = () => {
      throw new GearmanProtocolError('GEARMAN_UNEXPECTED_PACKET', 'another handle');
    };
    const { replies, take } = setUp({ requests: [picky, job()] });
    refuses(() => take(packet(TYPE.JOB_CREATED)), 'GEARMAN_UNEXPECTED_PACKET', /another handle/);
    assert.equal(replies.takeUnanswered()[0], picky);
  });
});

describe('a request that is settled', () => {
  it('keeps its place, and is told its answer so that it can check it', () => {
    const [tombstone, second] = [job({ isSettled: true }), job()];
    const { replies, take } = setUp({ requests: [tombstone, second] });
    take(packet(TYPE.JOB_CREATED));
    assert.equal(tombstone.told.length, 1);
    assert.deepEqual(second.told, []);
    assert.equal(replies.pending, 1);
  });

  it('is pending, but nobody waits for it', () => {
    const { replies, take } = setUp({ requests: [job({ isSettled: true }), job()] });
    assert.deepEqual([replies.pending, replies.isAwaited], [2, true]);
    const { replies: alone } = setUp({ requests: [job({ isSettled: true })] });
    assert.deepEqual([alone.pending, alone.isAwaited], [1, false]);
    for (let count = 0; count < 2; count++) take(packet(TYPE.JOB_CREATED));
    assert.deepEqual([replies.pending, replies.isAwaited], [0, false]);
  });

  it('is told no doubt; the others are', () => {
    const [tombstone, waits] = [job({ isSettled: true }), question()];
    setUp({ requests: [tombstone, waits] }).replies.tellDoubt();
    assert.deepEqual([tombstone.told, waits.told], [[], ['doubt']]);
  });

  it('is lost with its connection like the others, in order', () => {
    const requests = [job({ isSettled: true }), question(), job()];
    const { replies } = setUp({ requests });
    assert.deepEqual(replies.takeUnanswered(), requests);
    assert.equal(replies.pending, 0);
    assert.deepEqual(replies.takeUnanswered(), []);
  });
});

describe('whether anybody waits', () => {
  it('is right, whatever is settled, answered or passed over', () => {
    const step = fc.oneof(
      fc.record({ name: fc.constantFrom('expect', 'optional', 'answer', 'skip', 'look'), index: fc.nat(6) }),
      fc.record({ name: fc.constant('settle'), index: fc.nat(6) }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
        const { replies, take } = setUp();
        let pending: Asked[] = [];
        const expect = (request: Asked): void => {
          pending.push(request);
          replies.expect(request);
        };
        for (const { name, index } of steps) {
          const [first, second] = pending;
          if (name === 'expect') expect(job());
          else if (name === 'optional') expect(option());
          else if (name === 'settle') for (const each of pending.slice(index, index + 3)) each.settled = true;
          else if (name === 'look')
            assert.equal(
              replies.isAwaited,
              pending.some(({ settled }) => !settled),
            );
          else if (first !== undefined) {
            const isSkipped = first.isOptional && second?.isOptional === false && name === 'skip';
            const answered = isSkipped ? second : first;
            answered.onReply = () => (answered.settled = true);
            take(packet(answered.isOptional ? TYPE.OPTION_RES : TYPE.JOB_CREATED));
            pending = pending.slice(isSkipped ? 2 : 1);
          }
          assert.equal(replies.pending, pending.length);
        }
        assert.equal(
          replies.isAwaited,
          pending.some(({ settled }) => !settled),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('stays right over a long run of settled ones, of which one half is answered and one passed over', () => {
    const { replies, take } = setUp();
    for (let count = 0; count < 1000; count++) {
      replies.expect(Object.assign(option(), { settled: true }));
      replies.expect(job({ isSettled: true }));
    }
    const last = job();
    replies.expect(last);
    for (let left = 2001; left > 1; left -= 2) {
      assert.deepEqual([replies.pending, replies.isAwaited], [left, true]);
      take(packet(TYPE.JOB_CREATED));
    }
    last.settled = true;
    assert.deepEqual([replies.pending, replies.isAwaited], [1, false]);
    replies.expect(job());
    assert.equal(replies.isAwaited, true);
  });

  it('costs each of 100,000 requests one look, however often it is asked and whatever has been answered', () => {
    let looks = 0;
    const counted = (isSettled: boolean): Asked =>
      Object.defineProperty(job(), 'settled', {
        get: () => {
          looks++;
          return isSettled;
        },
      });
    const { replies, take } = setUp();
    const tombstone = counted(true);
    for (let count = 1; count < 100_000; count++) replies.expect(tombstone);
    replies.expect(counted(false));
    const answer = packet(TYPE.JOB_CREATED);
    for (let asked = 0; asked < 10_000; asked++) {
      assert.equal(replies.isAwaited, true);
      take(answer);
      // One look each, and one a question at the one that waits.
      assert.ok(looks <= 100_000 + 10_000, `${looks} looks`);
    }
    assert.equal(replies.pending, 90_000);
  });
});

describe('a request that the server may leave unanswered', () => {
  it('does not shift the answers of the others', () => {
    const [optional, second, third] = [option(), job(), question()];
    const { replies, take } = setUp({ requests: [optional, second, third] });
    take(packet(TYPE.JOB_CREATED));
    take(packet(TYPE.STATUS_RES));
    assert.deepEqual([optional.told, second.told.length, third.told.length, replies.pending], [[], 1, 1, 0]);
  });

  it('gets its answer where there is one', () => {
    const [optional, second] = [option(), job()];
    const { take } = setUp({ requests: [optional, second] });
    take(packet(TYPE.OPTION_RES));
    assert.deepEqual([optional.told, second.told], [['OPTION_RES from a:4730'], []]);
  });

  it('gets an ERROR, too, being the oldest', () => {
    const [optional, second] = [option(), job()];
    const { take } = setUp({ requests: [optional, second] });
    take(packet(TYPE.ERROR));
    take(packet(TYPE.JOB_CREATED));
    assert.deepEqual([optional.told, second.told], [['ERROR from a:4730'], ['JOB_CREATED from a:4730']]);
  });

  it('excuses no answer that the next one may not get either', () => {
    const { replies, take } = setUp({ requests: [option(), job()] });
    refuses(() => take(packet(TYPE.STATUS_RES)), 'GEARMAN_UNEXPECTED_PACKET', /STATUS_RES/);
    assert.equal(replies.pending, 2);
    refuses(
      () => setUp({ requests: [option()] }).take(packet(TYPE.JOB_CREATED)),
      'GEARMAN_UNEXPECTED_PACKET',
      /JOB_CREATED/,
    );
  });
});

describe('a packet that nobody asked for', () => {
  for (const type of RESPONSES) {
    const isIgnored = [...WORK, ...HARMLESS_WHEN_IDLE].some((each) => each === type);
    it(`is ${isIgnored ? 'ignored' : 'the end'} when it is ${nameOfType(type)} and nothing is pending`, () => {
      const { replies, take } = setUp();
      if (isIgnored) assert.equal(take(packet(type)), false);
      else refuses(() => take(packet(type)), 'GEARMAN_UNEXPECTED_PACKET', /^\w+ came when nothing was asked\.$/);
      assert.equal(replies.pending, 0);
    });
  }

  for (const type of [...WORK, TYPE.NOOP]) {
    it(`is ignored when it is ${nameOfType(type)}, and answers no request that is pending`, () => {
      const request = job();
      const { replies, take } = setUp({ requests: [request] });
      assert.equal(take(packet(type)), false);
      assert.deepEqual([request.told, replies.pending], [[], 1]);
    });
  }

  it('counts with its header, and is the end once that is more than maxPacketSize', () => {
    const { take } = setUp();
    const noop = packet(TYPE.NOOP);
    for (let bytes = noop.length; bytes <= LIMIT; bytes += noop.length) take(noop);
    refuses(() => take(noop), 'GEARMAN_DATA_TOO_LARGE', /1000 bytes \(the option maxPacketSize\).*nobody asked for/);
  });

  it('counts up to maxPacketSize, not less', () => {
    const { take } = setUp();
    const bytes = packet(TYPE.ECHO_RES, { dataBytes: LIMIT - 12 });
    assert.equal(bytes.length, LIMIT);
    assert.equal(take(bytes), false);
    refuses(() => take(packet(TYPE.NOOP)), 'GEARMAN_DATA_TOO_LARGE', /maxPacketSize/);
  });

  it('counts anew after each real answer', () => {
    const { replies, take } = setUp();
    const work = packet(TYPE.WORK_DATA, { dataBytes: 900 });
    for (let count = 0; count < 20; count++) {
      take(work);
      replies.expect(job());
      take(packet(TYPE.JOB_CREATED));
    }
    take(work);
    refuses(() => take(work), 'GEARMAN_DATA_TOO_LARGE', /maxPacketSize/);
  });

  it('does not count when it is about a job that this client was given: that may honestly say gigabytes', () => {
    const { take } = setUp({ issued: ['H:ours'] });
    for (const type of WORK) {
      for (let count = 0; count < 100; count++) take(packet(type, { handle: 'H:ours', dataBytes: 900 }));
    }
    const foreign = packet(TYPE.WORK_DATA, { handle: 'H:theirs', dataBytes: 900 });
    take(foreign);
    refuses(() => take(foreign), 'GEARMAN_DATA_TOO_LARGE', /maxPacketSize/);
  });

  it('is the end when it does not hold the arguments of its type', () => {
    const cut = (type: number, body: string): Buffer => {
      const bytes = Buffer.alloc(12 + body.length);
      bytes.write('\0RES', 'latin1');
      bytes.writeUInt32BE(type, 4);
      bytes.writeUInt32BE(body.length, 8);
      bytes.write(body, 12);
      return bytes;
    };
    refuses(() => setUp().take(cut(TYPE.WORK_STATUS, 'H:1\x001')), 'GEARMAN_INVALID_PACKET', /WORK_STATUS/);
    refuses(() => setUp().take(cut(TYPE.WORK_DATA, 'H:1')), 'GEARMAN_INVALID_PACKET', /WORK_DATA/);
    refuses(() => setUp().take(cut(TYPE.ERROR, 'QUEUE_ERROR')), 'GEARMAN_INVALID_PACKET', /ERROR/);
  });
});

describe('any order of requests and answers', () => {
  it('gives each request at most one answer, of its type, in order', () => {
    const kinds = fc.array(fc.constantFrom('job', 'question', 'tombstone', 'option'), { minLength: 1, maxLength: 20 });
    const answers = fc.array(
      fc.constantFrom(...HARMLESS_WHEN_IDLE, TYPE.JOB_CREATED, TYPE.STATUS_RES, TYPE.WORK_DATA),
      {
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(kinds, answers, (names, types) => {
        const make = { job, question, option, tombstone: () => job({ isSettled: true }) };
        const requests = names.map((name) => make[name]());
        const { replies, take } = setUp({ requests });
        let taken = 0;
        try {
          for (const type of types) if (take(packet(type))) taken++;
        } catch (error) {
          assert.ok(error instanceof GearmanProtocolError);
        }
        const told = requests.map((request) => request.told.length);
        assert.equal(
          told.reduce((sum, count) => sum + count, 0),
          taken,
        );
        assert.ok(told.every((count) => count <= 1));
        // What is pending is a tail of the requests, none of which was told anything.
        const pending = replies.takeUnanswered();
        assert.deepEqual(pending, requests.slice(requests.length - pending.length));
        for (const request of requests.slice(0, -pending.length || undefined)) {
          assert.ok(request.told.length === 1 || request.isOptional);
        }
      }),
      { numRuns: 500 },
    );
  });
});
