/** Encoding: exact packets, and the fewest buffers for those of one tick. */
import assert from 'node:assert/strict';
import { constants } from 'node:buffer';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Batch } from '../../src/protocol/batch.js';
import { encode } from '../../src/protocol/encode.js';
import { PACKET_TYPES, TYPE } from '../../src/protocol/packet.js';

const BG = TYPE.SUBMIT_JOB_BG;

describe('encode', () => {
  const types = PACKET_TYPES.flatMap((type) => (type === undefined ? [] : [type]));
  const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((value) => value.replaceAll('\0', ''));

  for (const { number, name, args, data } of types) {
    it(`gives a ${name} exactly the size that its arguments have`, () => {
      fc.assert(
        fc.property(fc.tuple(...args.map(() => text)), fc.uint8Array(), (texts, bytes) => {
          const packet = encode('RES', number, texts, data === undefined ? '' : bytes);
          const parts = [...texts.map((value) => Buffer.from(value)), ...(data === undefined ? [] : [bytes])];
          const body = parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.of(0), part]));
          const length = body.reduce((sum, part) => sum + part.length, 0);
          assert.deepEqual([packet.readUInt32BE(4), packet.readUInt32BE(8)], [number, length]);
          assert.deepEqual(packet.subarray(12), Buffer.concat(body));
        }),
        { numRuns: 20 },
      );
    });

    it(`refuses a ${name} with a NUL in an argument that has another one or data behind it`, () => {
      const last = data === undefined ? args.length - 1 : args.length;
      for (let index = 0; index < last; index++) {
        for (const bad of ['a\0', Buffer.from('\0')]) {
          const texts = args.map((_, place) => (place === index ? bad : 'x'));
          assert.throws(() => encode('REQ', number, texts), {
            code: 'GEARMAN_INVALID_ARGUMENT',
            message: `A NUL would split an argument of ${name}.`,
          });
        }
      }
    });

    it(`refuses a ${name} with an argument too few or too many`, () => {
      const texts = args.map(() => 'x');
      for (const wrong of [[...texts, 'x'], texts.slice(1)].filter(({ length }) => length !== args.length)) {
        assert.throws(() => encode('REQ', number, wrong), {
          code: 'GEARMAN_INVALID_ARGUMENT',
          message: `${name} has ${args.length} arguments, not ${wrong.length}.`,
        });
      }
    });
  }

  it('refuses types that do not exist, and data for one that has none', () => {
    for (const type of [0, 5, 43, -1, 1.5]) {
      assert.throws(() => encode('REQ', type), {
        code: 'GEARMAN_INVALID_ARGUMENT',
        message: `There is no packet type ${type}.`,
      });
    }
    assert.throws(() => encode('REQ', TYPE.GET_STATUS, ['H:1'], 'data'), { message: 'GET_STATUS has no data.' });
  });

  it('counts bytes, not characters', () => {
    const packet = encode('REQ', BG, ['größe', '🎉'], '✓');
    assert.equal(packet.readUInt32BE(8), 7 + 1 + 4 + 1 + 3);
    assert.equal(packet.length, 12 + 16);
  });

  it('copies: what is changed afterwards is not in the packet', () => {
    const data = Buffer.from('before');
    const packet = encode('REQ', BG, ['f', 'u'], data);
    data.write('after!');
    assert.equal(packet.toString('latin1', 16), 'before');
  });
});

describe('a batch', () => {
  const text = fc
    .oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 200 }))
    .map((value) => value.replaceAll('\0', ''));
  const workload = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array(),
    fc.integer({ min: 5000, max: 40_000 }).map((size) => 'é'.repeat(size)),
  );

  it('holds the same bytes as the packets one by one, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text, workload), { maxLength: 12 }), fc.nat(12), (jobs, cut) => {
        const batch = new Batch('REQ');
        const taken: Uint8Array[] = [];
        for (const [index, [fn, unique, data]] of jobs.entries()) {
          if (index === cut) taken.push(...batch.take());
          batch.add(BG, [fn, unique, data]);
          batch.add(BG, [fn, unique, data]);
          batch.add(TYPE.GET_STATUS, [unique]);
        }
        taken.push(...batch.take());
        const expected = jobs.flatMap(([fn, unique, data]) => [
          encode('REQ', BG, [fn, unique], data),
          encode('REQ', BG, [fn, unique], data),
          encode('REQ', TYPE.GET_STATUS, [unique]),
        ]);
        assert.deepEqual(Buffer.concat(taken), Buffer.concat(expected));
        assert.equal(batch.bytes, 0);
      }),
    );
  });

  it('puts small packets into one buffer', () => {
    const batch = new Batch('REQ');
    for (let count = 0; count < 20; count++) batch.add(BG, ['f', 'u', 'w']);
    assert.equal(batch.take().length, 1);
    assert.equal(batch.take().length, 0);
  });

  it('passes payloads of 16 KiB and more by reference: the same memory', () => {
    const batch = new Batch('REQ');
    const large = Buffer.alloc(16_384, 'x');
    const view = new Uint8Array(new ArrayBuffer(40_000), 1000, 20_000);
    batch.add(BG, ['f', 'u', 'small']);
    batch.add(BG, ['f', 'u', large]);
    batch.add(BG, ['f', 'u', large.subarray(1)]);
    batch.add(BG, ['f', 'u', large]);
    batch.add(BG, ['f', 'u', view]);
    assert.equal(batch.bytes, 5 * 16 + 5 + 2 * 16_384 + 16_383 + 20_000);
    const buffers = batch.take();
    assert.equal(buffers.filter((buffer) => buffer === large).length, 2);
    assert.equal(buffers[1], large);
    assert.equal(buffers.at(-1), view);
    assert.equal(
      buffers.reduce((sum, { length }) => sum + length, 0),
      5 * 16 + 5 + 2 * 16_384 + 16_383 + 20_000,
    );
  });

  it('copies payloads below that: what is changed afterwards is not sent', () => {
    const batch = new Batch('REQ');
    const small = Buffer.alloc(16_383, 'x');
    batch.add(BG, ['f', 'u', small]);
    small.fill('y');
    assert.ok(Buffer.concat(batch.take()).subarray(16).equals(Buffer.alloc(16_383, 'x')));
  });

  it('keeps the order of large and small payloads', () => {
    const batch = new Batch('REQ');
    const sizes = [20_000, 0, 1, 30_000, 16_384, 5, 16_383, 100_000, 0];
    for (const size of sizes) batch.add(BG, [`f${size}`, '', Buffer.alloc(size, 'w')]);
    const expected = sizes.map((size) => encode('REQ', BG, [`f${size}`, ''], Buffer.alloc(size, 'w')));
    assert.equal(batch.bytes, Buffer.concat(expected).length);
    assert.deepEqual(Buffer.concat(batch.take()), Buffer.concat(expected));
  });

  it('takes arguments and data of no bytes, and types with nothing at all', () => {
    const batch = new Batch('REQ');
    batch.add(BG, ['', '', '']);
    batch.add(BG, ['', '', Buffer.alloc(0)]);
    batch.add(TYPE.ECHO_REQ, ['']);
    batch.add(4, []);
    batch.add(TYPE.GET_STATUS, ['']);
    const expected = [
      encode('REQ', BG, ['', '']),
      encode('REQ', BG, ['', '']),
      encode('REQ', TYPE.ECHO_REQ),
      encode('REQ', 4),
      encode('REQ', TYPE.GET_STATUS, ['']),
    ];
    assert.deepEqual(Buffer.concat(batch.take()), Buffer.concat(expected));
  });

  it('writes text of any length as UTF-8, also half a surrogate pair', () => {
    for (const unit of ['x', 'é', '✓', '🎉', '\ud83c', 'x🎉']) {
      for (const count of [1, 21, 63, 64, 65, 2000, 5461, 5462, 16_384]) {
        const data = unit.repeat(count);
        const batch = new Batch('RES');
        batch.add(TYPE.WORK_DATA, [data.slice(0, 170), data]);
        assert.deepEqual(
          Buffer.concat(batch.take()),
          encode('RES', TYPE.WORK_DATA, [data.slice(0, 170)], data),
          `${count} times ${unit}`,
        );
      }
    }
  });

  it('takes the longest string that there can be: it is not put together with others', (t) => {
    const longest = 'x'.repeat(constants.MAX_STRING_LENGTH);
    // It is not written here, for that would take half a gigabyte.
    t.mock.method(Buffer, 'from', () => Buffer.of(7));
    const batch = new Batch('REQ');
    batch.add(BG, ['f', 'u', longest]);
    assert.deepEqual(Buffer.concat(batch.take()), encode('REQ', BG, ['f', 'u'], Buffer.of(7)));
  });

  for (const data of ['text', Buffer.from('bytes')]) {
    it(`leaves out a packet of ${typeof data} that it throws for because memory ends, and no other`, (t) => {
      const batch = new Batch('REQ');
      const { mock } = t.mock.method(Buffer, 'allocUnsafeSlow', () => assert.fail('Array buffer allocation failed'));
      const added: string[] = [];
      for (let count = 0; count < 200; count++) {
        try {
          batch.add(BG, ['f', `${count}`, data]);
          added.push(`${count}`);
        } catch {
          mock.restore();
        }
      }
      assert.equal(added.length, 199);
      const expected = added.map((unique) => encode('REQ', BG, ['f', unique], data));
      assert.deepEqual(Buffer.concat(batch.take()), Buffer.concat(expected));
    });
  }

  it('stays in step when memory is transferred away before it was copied', () => {
    const batch = new Batch('REQ');
    const bytes = new Uint8Array(100);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    batch.add(BG, ['f', 'u', bytes]);
    batch.add(BG, ['f', 'v', bytes]);
    assert.deepEqual(
      Buffer.concat(batch.take()),
      Buffer.concat([encode('REQ', BG, ['f', 'u']), encode('REQ', BG, ['f', 'v'])]),
    );
  });

  it('has arguments as bytes, too, and keeps bytes that are no UTF-8', () => {
    const batch = new Batch('REQ');
    const bytes = Buffer.from([0xff, 0xfe, 0x80]);
    batch.add(BG, [bytes, bytes, bytes]);
    assert.deepEqual(Buffer.concat(batch.take()), encode('REQ', BG, [bytes, bytes], bytes));
  });

  it('gives everything once, and can be filled again', () => {
    const batch = new Batch('REQ');
    assert.deepEqual([batch.bytes, batch.take()], [0, []]);
    for (let round = 0; round < 3; round++) {
      batch.add(BG, ['f', `${round}`, 'w']);
      assert.equal(batch.bytes, 17);
      assert.deepEqual(Buffer.concat(batch.take()), encode('REQ', BG, ['f', `${round}`], 'w'));
      assert.deepEqual([batch.bytes, batch.take()], [0, []]);
    }
  });

  it('never writes again to what was taken, whenever that was', () => {
    const job = fc.record({
      size: fc.oneof(fc.nat(200), fc.integer({ min: 3000, max: 20_000 })),
      isTaken: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(job, { minLength: 1, maxLength: 60 }), (jobs) => {
        const batch = new Batch('REQ');
        const taken: Uint8Array[] = [];
        const copies: Buffer[] = [];
        for (const [index, { size, isTaken }] of jobs.entries()) {
          batch.add(BG, ['f', `${index}`, 'x'.repeat(size)]);
          if (!isTaken) continue;
          const buffers = batch.take();
          taken.push(...buffers);
          copies.push(...buffers.map((bytes) => Buffer.from(bytes)));
        }
        for (const [index, bytes] of taken.entries()) assert.ok(copies[index]?.equals(bytes));
      }),
    );
  });

  it('puts hundreds of small packets into few buffers, the larger the more come', () => {
    const batch = new Batch('REQ');
    for (let count = 0; count < 10_000; count++) batch.add(BG, ['reverse', `${count}`, 'this is a test']);
    const buffers = batch.take();
    assert.ok(buffers.length <= 12, `${buffers.length} buffers`);
  });

  it('writes strings as latin1 if told so, short and long', () => {
    for (const length of [1, 65, 20_000]) {
      const data = 'aÿ'.repeat(length);
      const batch = new Batch('RES', 'latin1');
      batch.add(TYPE.JOB_ASSIGN, ['H:1', 'é', data]);
      const expected = encode('RES', TYPE.JOB_ASSIGN, ['H:1', Buffer.of(0xe9)], Buffer.from(data, 'latin1'));
      assert.deepEqual(Buffer.concat(batch.take()), expected);
    }
  });

  it('takes bytes that are no packet, in their order', () => {
    const batch = new Batch('RES');
    const noop = encode('RES', TYPE.NOOP);
    batch.add(TYPE.NOOP, []);
    batch.addBytes(Buffer.from('OK\r\n'));
    batch.add(TYPE.NOOP, []);
    assert.equal(batch.bytes, 28);
    assert.deepEqual(Buffer.concat(batch.take()), Buffer.concat([noop, Buffer.from('OK\r\n'), noop]));
  });
});
