/** The decoder: any cuts, limits, and what ends it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GearmanProtocolError, type GearmanErrorCode } from '../../src/errors.js';
import { Decoder } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';
import { HEADER_BYTES, PACKET_TYPES, TYPE } from '../../src/protocol/packet.js';

const LIMIT = 100_000;

function pushAll(decoder: Decoder, chunks: Iterable<Buffer>): Packet[] {
  const packets: Packet[] = [];
  for (const chunk of chunks) decoder.push(chunk, (packet) => packets.push(packet));
  return packets;
}

function header(type: number, length: number, magic = '\0RES'): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32BE(type, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

/** The chunks of a stream, cut at these places. */
function cutAt(stream: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  return ends.map((end, index) => stream.subarray(ends[index - 1] ?? 0, end));
}

const throws = (run: () => unknown, code: GearmanErrorCode, message = /./): void => {
  assert.throws(run, (error) => {
    assert.ok(error instanceof GearmanProtocolError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
};

const places = fc.array(fc.nat(), { maxLength: 10 });

/** Any packet that a server may send, as its type, arguments and data. */
const response = fc
  .constantFrom(...PACKET_TYPES.flatMap((type) => (type?.senders.includes('server') === true ? [type] : [])))
  .chain((type) =>
    fc.record({
      type: fc.constant(type),
      args: fc.tuple(
        ...type.args.map(() => fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.map((byte) => byte || 1))),
      ),
      data: type.data === undefined ? fc.constant(new Uint8Array(0)) : fc.uint8Array({ maxLength: 300 }),
    }),
  );

describe('a decoder', () => {
  it('gives back what was encoded, in any cuts', () => {
    fc.assert(
      fc.property(fc.array(response, { maxLength: 8 }), places, (sent, cuts) => {
        const stream = Buffer.concat(sent.map(({ type, args, data }) => encode('RES', type.number, args, data)));
        const packets = pushAll(new Decoder('RES', LIMIT), cutAt(stream, cuts));
        assert.equal(packets.length, sent.length);
        for (const [index, { type, args, data }] of sent.entries()) {
          const packet = packets[index];
          assert.equal(packet?.type, type.number);
          assert.deepEqual(
            args.map((_, place) => packet.bytes(place)),
            args.map((arg) => Buffer.from(arg)),
          );
          assert.deepEqual(packet.data, Buffer.from(data));
        }
      }),
    );
  });

  it('makes of any bytes packets, or one error of the protocol and then nothing', () => {
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.nat(50), fc.nat(300), fc.uint8Array({ maxLength: 300 }))
        .map(([type, length, body]) => Buffer.concat([header(type, length), body])),
    );
    fc.assert(
      fc.property(fc.array(junk, { maxLength: 5 }), places, (parts, cuts) => {
        const decoder = new Decoder('RES', LIMIT);
        let errors = 0;
        for (const chunk of cutAt(Buffer.concat(parts), cuts)) {
          const packets: Packet[] = [];
          try {
            decoder.push(chunk, (packet) => {
              packet.split();
              packets.push(packet);
            });
          } catch (error) {
            assert.ok(error instanceof GearmanProtocolError);
            errors++;
          }
          if (errors > 1) assert.equal(packets.length, 0);
        }
        assert.ok(errors <= 1);
      }),
      { numRuns: 500 },
    );
  });

  it('joins a body of 64 MiB once', () => {
    const size = 64 * 1024 * 1024;
    const decoder = new Decoder('RES', size);
    pushAll(decoder, [Buffer.concat([header(TYPE.WORK_DATA, size + 4), Buffer.from('H:1\0')])]);
    const chunk = Buffer.alloc(65_536, 'x');
    const packets = pushAll(
      decoder,
      Array.from({ length: size / chunk.length }, () => chunk),
    );
    assert.equal(packets.length, 1);
    assert.equal(packets[0]?.latin1(0), 'H:1');
    assert.equal(packets[0].data.length, size);
  });

  it('does not keep an object for each byte that drips in', () => {
    const packet = encode('RES', TYPE.WORK_DATA, ['H:1'], Buffer.alloc(90_000, 'y'));
    const one = Buffer.alloc(1);
    const decoder = new Decoder('RES', LIMIT);
    const packets: Packet[] = [];
    for (const byte of packet) {
      // The same memory each time: had a view of it been kept, the body would be garbage.
      one[0] = byte;
      decoder.push(packets.length === 0 ? one : Buffer.from(one), (each) => packets.push(each));
    }
    assert.ok(packets[0]?.data.equals(Buffer.alloc(90_000, 'y')));
  });

  it('is not misled by a chunk that begins like a packet', () => {
    const inner = encode('RES', TYPE.JOB_CREATED, ['H:2']);
    const outer = encode('RES', TYPE.WORK_DATA, ['H:1'], inner);
    const packets = pushAll(new Decoder('RES', LIMIT), [outer.subarray(0, 16), outer.subarray(16)]);
    assert.equal(packets.length, 1);
    assert.deepEqual(packets[0]?.data, inner);
  });

  it('keeps payloads whole whose packets end about where a chunk does', () => {
    for (let size = 65_480; size <= 65_510; size++) {
      const stream = Buffer.concat(
        [size, 7].map((length) => encode('RES', TYPE.WORK_DATA, ['H:1'], Buffer.alloc(length, 'z'))),
      );
      const packets = pushAll(new Decoder('RES', LIMIT), [stream.subarray(0, 65_536), stream.subarray(65_536)]);
      assert.deepEqual(
        packets.map(({ data }) => data.length),
        [size, 7],
      );
    }
  });
});

describe('a decoder is ended by', () => {
  it('the first byte that no packet begins with', () => {
    for (const [bytes, came] of [
      ['\x15\x03', '15'],
      ['OK 1.1.20\n', '4f'],
      ['HTTP/1.1', '48'],
      ['\0REX', '00524558'],
    ] as const) {
      throws(
        () => pushAll(new Decoder('RES', LIMIT), [Buffer.from(bytes, 'latin1')]),
        'GEARMAN_INVALID_MAGIC',
        new RegExp(`0x${came} `),
      );
    }
    const decoder = new Decoder('RES', LIMIT);
    pushAll(decoder, [Buffer.from('\0R')]);
    throws(() => pushAll(decoder, [Buffer.from('X')]), 'GEARMAN_INVALID_MAGIC', /0x005258 /);
  });

  it('the magic of the other direction', () => {
    throws(() => pushAll(new Decoder('RES', LIMIT), [header(8, 0, '\0REQ')]), 'GEARMAN_INVALID_MAGIC');
  });

  it('a type that does not exist', () => {
    for (const type of [0, 5, 43, 0xffff_ffff]) {
      throws(() => pushAll(new Decoder('RES', LIMIT), [header(type, 0)]), 'GEARMAN_INVALID_COMMAND');
    }
  });

  it('a type that is not sent in this direction', () => {
    throws(() => pushAll(new Decoder('RES', LIMIT), [header(TYPE.SUBMIT_JOB_BG, 0)]), 'GEARMAN_UNEXPECTED_PACKET');
    throws(
      () => pushAll(new Decoder('REQ', LIMIT), [header(TYPE.JOB_CREATED, 0, '\0REQ')]),
      'GEARMAN_UNEXPECTED_PACKET',
    );
  });

  it('a length over the limit, as soon as the header is there', () => {
    assert.equal(pushAll(new Decoder('RES', LIMIT), [header(TYPE.WORK_DATA, LIMIT + 8192)]).length, 0);
    const decoder = new Decoder('RES', LIMIT);
    const bytes = header(TYPE.WORK_DATA, LIMIT + 8193);
    pushAll(decoder, [bytes.subarray(0, 11)]);
    throws(() => pushAll(decoder, [bytes.subarray(11)]), 'GEARMAN_DATA_TOO_LARGE', /maxPacketSize/);
  });

  it('what the receiver throws, and then stays dead', () => {
    const decoder = new Decoder('RES', LIMIT);
    const packet = encode('RES', TYPE.NOOP);
    const refuse = (): never => {
      throw new Error('no more');
    };
    assert.throws(() => {
      decoder.push(packet, refuse);
    }, /no more/);
    assert.equal(pushAll(decoder, [packet]).length, 0);
  });

  it('stop()', () => {
    const decoder = new Decoder('RES', LIMIT);
    decoder.stop();
    assert.equal(pushAll(decoder, [encode('RES', TYPE.NOOP)]).length, 0);
  });
});

describe('a packet', () => {
  const only = (bytes: Buffer): Packet => {
    const [packet] = pushAll(new Decoder('RES', LIMIT), [bytes]);
    assert.ok(packet !== undefined);
    return packet;
  };

  it('whose body does not hold the arguments of its type is an error', () => {
    for (const [type, body] of [
      [TYPE.STATUS_RES, 'H:1\x001'],
      [TYPE.ERROR, 'CODE'],
      [TYPE.WORK_DATA, 'H:1'],
    ] as const) {
      const packet = only(Buffer.concat([header(type, body.length), Buffer.from(body)]));
      throws(() => packet.split(), 'GEARMAN_INVALID_PACKET');
      throws(() => packet.latin1(0), 'GEARMAN_INVALID_PACKET');
    }
  });

  it('gives an argument as text, byte for byte, or as it is', () => {
    const packet = only(encode('RES', TYPE.ERROR, [Buffer.from([0xff, 0x41]), 'zoë']));
    assert.equal(packet.latin1(0), '\xffA');
    assert.equal(packet.utf8(1), 'zoë');
    assert.deepEqual(packet.bytes(1), Buffer.from('zoë'));
    assert.equal(packet.data.length, 0);
  });

  it('has no argument beyond those of its type', () => {
    assert.throws(() => only(encode('RES', TYPE.JOB_CREATED, ['H:1'])).latin1(1), RangeError);
  });

  it('is a view of the chunk', () => {
    const bytes = encode('RES', TYPE.WORK_DATA, ['H:1'], 'abc');
    assert.equal(only(bytes).data.buffer, bytes.buffer);
  });
});
