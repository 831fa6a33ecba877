/** The decoder: any cuts, limits, and what ends it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GearmanProtocolError, type GearmanErrorCode } from '../../src/errors.js';
import { Decoder } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';
import { HEADER_BYTES, PACKET_TYPES, TYPE, nameOfType, type Magic } from '../../src/protocol/packet.js';
import { breaks, header, pushAll } from '../support/packets.js';

const LIMIT = 100_000;

/** The chunks of a stream, cut at these places. */
function cutAt(stream: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (stream.length + 1)).sort((a, b) => a - b), stream.length];
  return ends.map((end, index) => stream.subarray(ends[index - 1] ?? 0, end));
}

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

/** What a receiver has seen of a stream: packets as text, and the code of the error that ended it. */
interface Seen {
  readonly packets: string[];
  error: GearmanErrorCode | undefined;
}

const show = (type: number, args: readonly Buffer[], data: Buffer): string =>
  [nameOfType(type), ...args.map((arg) => arg.toString('latin1')), data.toString('latin1')].join('|');

/** The decoder's naive twin: has the whole stream at once, takes its time, and is easy to read. */
function decodeSlowly(stream: Buffer, magic: Magic, limit: number): Seen {
  const seen: Seen = { packets: [], error: undefined };
  const fail = (code: GearmanErrorCode): Seen => ({ ...seen, error: code });
  let rest = stream.toString('latin1');
  while (rest !== '') {
    const expected = `\0${magic}`;
    if (rest.slice(0, 4) !== expected.slice(0, rest.length)) return fail('GEARMAN_INVALID_MAGIC');
    if (rest.length < HEADER_BYTES) break;
    const head = Buffer.from(rest.slice(0, HEADER_BYTES), 'latin1');
    const [type, length] = [head.readUInt32BE(4), head.readUInt32BE(8)];
    const definition = PACKET_TYPES[type];
    if (definition === undefined) return fail('GEARMAN_INVALID_COMMAND');
    const { senders, args: names, data } = definition;
    const isRight = senders.some((sender) => (sender === 'server') === (magic === 'RES'));
    if (!isRight) return fail('GEARMAN_UNEXPECTED_PACKET');
    if (length > limit + 8192) return fail('GEARMAN_DATA_TOO_LARGE');
    if (rest.length < HEADER_BYTES + length) break;
    const fields = rest.slice(HEADER_BYTES, HEADER_BYTES + length).split('\0');
    rest = rest.slice(HEADER_BYTES + length);
    const needed = data === undefined ? names.length : names.length + 1;
    if (fields.length < needed) return fail('GEARMAN_INVALID_PACKET');
    const args = fields.splice(0, names.length);
    // A last argument that is no handle is all that is left, NULs included; behind a handle they are cut off.
    if (data === undefined && names.at(-1) !== 'handle') args.push([args.pop(), ...fields].join('\0'));
    const opaque = data === undefined ? '' : fields.join('\0');
    const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
    seen.packets.push(show(type, names.length === 0 ? [] : args.map(bytes), bytes(opaque)));
  }
  return seen;
}

function decodeInCuts(stream: Buffer, magic: Magic, limit: number, cuts: readonly number[]): Seen {
  const seen: Seen = { packets: [], error: undefined };
  const decoder = new Decoder(magic, limit);
  for (const chunk of cutAt(stream, cuts)) {
    try {
      decoder.push(chunk, (packet) => {
        assert.equal(seen.error, undefined, 'a decoder that threw gives no packet');
        const { args = [] } = PACKET_TYPES[packet.type] ?? {};
        packet.split();
        seen.packets.push(
          show(
            packet.type,
            args.map((_, index) => packet.bytes(index)),
            packet.data,
          ),
        );
      });
    } catch (error) {
      assert.ok(error instanceof GearmanProtocolError, String(error));
      assert.equal(seen.error, undefined, 'a decoder throws once');
      seen.error = error.code;
    }
  }
  return seen;
}

/** A stream of packets in one direction, as it is and with some bytes changed, left out or put in. */
const streams = fc
  .tuple(fc.constantFrom<Magic>('REQ', 'RES'), fc.array(fc.tuple(fc.nat(50), fc.string(), fc.nat(3)), { maxLength: 6 }))
  .map(([magic, packets]) => {
    const bytes = packets.map(([type, body, separators]) => {
      const content = Buffer.from(body + 'x\0y'.repeat(separators) + body);
      return Buffer.concat([header(type, content.length, `\0${magic}`), content]);
    });
    return { magic, stream: Buffer.concat(bytes) };
  });
const changes = fc.array(
  fc.record({ place: fc.nat(), kind: fc.constantFrom('set', 'remove', 'insert'), byte: fc.nat(255) }),
  { maxLength: 3 },
);

function mutate(stream: Buffer, list: readonly { place: number; kind: string; byte: number }[]): Buffer {
  const bytes = [...stream];
  for (const { place, kind, byte } of list) {
    const index = place % (bytes.length + 1);
    if (kind === 'insert') bytes.splice(index, 0, byte);
    else if (kind === 'remove') bytes.splice(index, 1);
    else bytes[index] = byte;
  }
  return Buffer.from(bytes);
}

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

  it('does as its naive twin does, in any cuts, with packets that are right', () => {
    fc.assert(
      fc.property(fc.array(response, { maxLength: 8 }), places, (sent, cuts) => {
        const stream = Buffer.concat(sent.map(({ type, args, data }) => encode('RES', type.number, args, data)));
        const seen = decodeInCuts(stream, 'RES', LIMIT, cuts);
        assert.deepEqual(seen, decodeSlowly(stream, 'RES', LIMIT));
        assert.equal(seen.packets.length, sent.length);
      }),
    );
  });

  it('does as its naive twin does, in any cuts, with packets that are wrong', () => {
    fc.assert(
      fc.property(streams, changes, places, fc.nat(100), ({ magic, stream }, list, cuts, limit) => {
        const mutated = mutate(stream, list);
        assert.deepEqual(decodeInCuts(mutated, magic, limit + 1, cuts), decodeSlowly(mutated, magic, limit + 1));
      }),
      { numRuns: 1000 },
    );
  });

  it('makes of any bytes packets or one error of the protocol, as its naive twin does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(4), places, (junk, real, cuts) => {
        const stream = Buffer.concat([header(TYPE.NOOP, 0).subarray(0, real), junk]);
        assert.deepEqual(decodeInCuts(stream, 'RES', LIMIT, cuts), decodeSlowly(stream, 'RES', LIMIT));
      }),
      { numRuns: 500 },
    );
  });

  it('joins a body of 64 MiB that comes in chunks of 64 KiB once, and copies nothing else', (t) => {
    const size = 64 * 1024 * 1024;
    const concat = t.mock.method<BufferConstructor, 'concat'>(Buffer, 'concat');
    const copy = t.mock.method<Buffer, 'copy'>(Buffer.prototype as Buffer, 'copy');
    const decoder = new Decoder('RES', size);
    const chunk = Buffer.alloc(65_536, 'x');
    const packets = pushAll(decoder, [header(TYPE.WORK_DATA, size + 4), Buffer.from('H:1\0')]);
    const copiesOfTheStart = copy.mock.callCount();
    packets.push(
      ...pushAll(
        decoder,
        Array.from({ length: size / chunk.length }, () => chunk),
      ),
    );
    assert.equal(concat.mock.callCount(), 1);
    assert.equal(copy.mock.callCount(), copiesOfTheStart);
    assert.equal(packets.length, 1);
    assert.equal(packets[0]?.latin1(0), 'H:1');
    assert.equal(packets[0].data.length, size);
  });

  it('takes two million bytes that come one by one', () => {
    // Were what has come copied for each byte, that would be two terabytes.
    const size = 2_000_000;
    const stream = encode('RES', TYPE.WORK_DATA, ['H:1'], Buffer.alloc(size, 'z'));
    const decoder = new Decoder('RES', size);
    const packets: Packet[] = [];
    for (let index = 0; index < stream.length; index++) {
      decoder.push(stream.subarray(index, index + 1), (packet) => packets.push(packet));
    }
    assert.equal(packets.length, 1);
    assert.ok(packets[0]?.data.equals(stream.subarray(HEADER_BYTES + 4)));
  });

  it('holds little memory for a body that is announced and does not come', () => {
    const before = process.memoryUsage().arrayBuffers;
    const size = 64 * 1024 * 1024;
    const decoders = Array.from({ length: 100 }, () => new Decoder('RES', size));
    for (const decoder of decoders) pushAll(decoder, [header(TYPE.WORK_DATA, size), Buffer.from('H')]);
    const held = process.memoryUsage().arrayBuffers - before;
    assert.ok(held < 100 * 100_000, `${held} bytes are held`);
    assert.equal(decoders.length, 100);
  });

  it('takes chunks without a byte', () => {
    const packet = encode('RES', TYPE.JOB_CREATED, ['H:1']);
    const none = Buffer.alloc(0);
    const chunks = [none, packet.subarray(0, 5), none, packet.subarray(5, 13), none, packet.subarray(13), none];
    assert.equal(pushAll(new Decoder('RES', LIMIT), chunks)[0]?.latin1(0), 'H:1');
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
      for (const border of [65_535, 65_536, 65_537]) {
        const packets = pushAll(new Decoder('RES', LIMIT), [stream.subarray(0, border), stream.subarray(border)]);
        assert.deepEqual(
          packets.map(({ data }) => data.toString()),
          [size, 7].map((length) => 'z'.repeat(length)),
        );
      }
    }
  });
});

describe('a decoder is ended by', () => {
  const strangers: readonly [who: string, bytes: string, refused: string][] = [
    ['a TLS alert', '\x15\x03\x03\0\x02\x02\x28', '15'],
    ["the text protocol's answer", 'OK 1.1.20\n', '4f'],
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n\r\n', '48'],
    ['an SSH server', 'SSH-2.0-OpenSSH_9.2p1\r\n', '53'],
    ['zeros', '\0\0\0\0', '0000'],
    ['a text that begins with NUL', '\0OK', '004f'],
    ['almost a packet', '\0REX', '00524558'],
  ];
  for (const [who, text, refused] of strangers) {
    it(`the first byte of ${who} that no packet has there, whole and byte by byte`, () => {
      const bytes = Buffer.from(text, 'latin1');
      const expected = new RegExp(`begin with \\\\0RES, but 0x${refused} came\\..*job server\\?$`);
      breaks(() => pushAll(new Decoder('RES', LIMIT), [bytes]), 'GEARMAN_INVALID_MAGIC', expected);
      const decoder = new Decoder('RES', LIMIT);
      const fatal = refused.length / 2 - 1;
      for (const byte of bytes.subarray(0, fatal)) pushAll(decoder, [Buffer.from([byte])]);
      breaks(() => pushAll(decoder, [bytes.subarray(fatal, fatal + 1)]), 'GEARMAN_INVALID_MAGIC', expected);
    });
  }

  for (const position of [0, 1, 2, 3]) {
    it(`a wrong byte ${position} of a header, when that comes and behind other packets, too`, () => {
      const wrong = header(TYPE.NOOP, 0);
      wrong[position] = 0xff;
      const before = encode('RES', TYPE.JOB_CREATED, ['H:1']);
      for (const chunks of [
        [before, wrong],
        [Buffer.concat([before, wrong])],
        [Buffer.concat([before, wrong.subarray(0, position)]), wrong.subarray(position, position + 1)],
      ]) {
        const decoder = new Decoder('RES', LIMIT);
        const packets: Packet[] = [];
        breaks(
          () => {
            for (const chunk of chunks) decoder.push(chunk, (packet) => packets.push(packet));
          },
          'GEARMAN_INVALID_MAGIC',
          /ff came/,
        );
        assert.equal(packets.length, 1, 'what came before it is given');
      }
    });
  }

  it('the magic of the other direction', () => {
    breaks(() => pushAll(new Decoder('RES', LIMIT), [header(8, 0, '\0REQ')]), 'GEARMAN_INVALID_MAGIC');
  });

  it('a type that does not exist', () => {
    for (const type of [0, 5, 43, 0xffff_ffff]) {
      for (const magic of ['RES', 'REQ'] as const) {
        breaks(
          () => pushAll(new Decoder(magic, LIMIT), [header(type, 0, `\0${magic}`)]),
          'GEARMAN_INVALID_COMMAND',
          new RegExp(`no packet type ${type}\\.`),
        );
      }
    }
  });

  for (const type of PACKET_TYPES) {
    if (type === undefined) continue;
    const { number, name, senders } = type;
    const right = [
      ...(senders.includes('server') ? ['RES'] : []),
      ...(senders.includes('client') || senders.includes('worker') ? ['REQ'] : []),
    ];
    it(`${name} only in a direction other than ${right.join(' and ')}`, () => {
      for (const magic of ['RES', 'REQ'] as const) {
        const run = (): unknown => pushAll(new Decoder(magic, LIMIT), [header(number, 0, `\0${magic}`)]);
        const who = magic === 'RES' ? 'A job server' : 'A client or worker';
        if (right.includes(magic)) assert.doesNotThrow(run);
        else breaks(run, 'GEARMAN_UNEXPECTED_PACKET', new RegExp(`^${who} sends no ${name}\\.$`));
      }
    });
  }

  it('a length over the limit, as soon as the header is there', () => {
    assert.equal(pushAll(new Decoder('RES', LIMIT), [header(TYPE.WORK_DATA, LIMIT + 8192)]).length, 0);
    const decoder = new Decoder('RES', LIMIT);
    const bytes = header(TYPE.WORK_DATA, LIMIT + 8193);
    pushAll(decoder, [bytes.subarray(0, 11)]);
    const message = /^WORK_DATA announces 108193 bytes; the option maxPacketSize allows 100000 bytes of data\.$/;
    breaks(() => pushAll(decoder, [bytes.subarray(11)]), 'GEARMAN_DATA_TOO_LARGE', message);
    breaks(
      () => pushAll(new Decoder('RES', LIMIT), [header(TYPE.WORK_DATA, 0xffff_ffff)]),
      'GEARMAN_DATA_TOO_LARGE',
      /4294967295/,
    );
  });

  it('an error once: what still comes is ignored', () => {
    const decoder = new Decoder('RES', LIMIT);
    breaks(() => pushAll(decoder, [Buffer.from('x')]), 'GEARMAN_INVALID_MAGIC');
    assert.deepEqual(pushAll(decoder, [Buffer.from('x'), encode('RES', TYPE.NOOP)]), []);
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

  it('stop(), also when the receiver of a packet calls it', () => {
    const decoder = new Decoder('RES', LIMIT);
    const three = Buffer.concat([TYPE.NOOP, TYPE.NOOP, TYPE.NOOP].map((type) => encode('RES', type)));
    let received = 0;
    const stopAtOnce = (): void => {
      received++;
      decoder.stop();
    };
    decoder.push(three, stopAtOnce);
    decoder.push(three, stopAtOnce);
    assert.equal(received, 1);
  });
});

describe("a job server's decoder", () => {
  const typesOf = (chunks: readonly Buffer[]): number[] =>
    pushAll(new Decoder('REQ', LIMIT, true), chunks).map(({ type }) => type);

  it('lets through what has the magic of answers, as a type of its own', () => {
    const stream = Buffer.concat([
      encode('RES', TYPE.ECHO_RES, [], 'abc'),
      encode('REQ', TYPE.GRAB_JOB),
      encode('RES', TYPE.NOOP),
    ]);
    const expected = [TYPE.FOREIGN, TYPE.GRAB_JOB, TYPE.FOREIGN];
    assert.deepEqual(typesOf([stream]), expected);
    const bytes = Array.from(stream, (byte) => Buffer.of(byte));
    assert.deepEqual(typesOf(bytes), expected);
  });

  it('lets through types that only a server sends, and the one that nobody does', () => {
    const [unused, noop] = [5, TYPE.NOOP].map((type) => header(type, 0, '\0REQ'));
    assert.deepEqual(typesOf([unused, noop].flatMap((each) => each ?? [])), [5, TYPE.NOOP]);
  });

  it('refuses other magics, types and sizes', () => {
    for (const magic of ['\0REX', '\0SEQ', 'XREQ']) {
      breaks(() => typesOf([Buffer.from(magic)]), 'GEARMAN_INVALID_MAGIC');
    }
    for (const type of [0, 43]) breaks(() => typesOf([header(type, 0, '\0REQ')]), 'GEARMAN_INVALID_COMMAND');
    breaks(() => typesOf([header(TYPE.ECHO_REQ, 2 ** 32 - 1, '\0RES')]), 'GEARMAN_DATA_TOO_LARGE');
  });

  it('reads one packet at a time, and knows when it is between two', () => {
    const decoder = new Decoder('REQ', LIMIT, true);
    const packet = encode('REQ', TYPE.ECHO_REQ, [], 'abc');
    const chunk = Buffer.concat([packet, packet.subarray(0, 5)]);
    const types: number[] = [];
    const read = (offset: number): number => decoder.step(chunk, offset, ({ type }) => types.push(type));
    assert.equal(decoder.isBetweenPackets, true);
    assert.equal(read(0), packet.length);
    assert.deepEqual([types, decoder.isBetweenPackets], [[TYPE.ECHO_REQ], true]);
    assert.equal(read(packet.length), chunk.length);
    assert.deepEqual([types.length, decoder.isBetweenPackets], [1, false]);
    decoder.stop();
    assert.equal(read(0), chunk.length);
    assert.equal(types.length, 1);
  });
});
