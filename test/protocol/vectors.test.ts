/** Every vector encodes to and decodes from exactly its bytes, however they are cut. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Batch } from '../../src/protocol/batch.js';
import { Decoder } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';
import { PACKET_TYPES } from '../../src/protocol/packet.js';
import { VECTORS, type Vector } from '../support/vectors.js';

const LIMIT = 1024 * 1024;

/** What stands behind each vector in these tests: the stream must still be in step for it. */
const NEXT = { REQ: encode('REQ', 16, [], 'next'), RES: encode('RES', 17, [], 'next') };

function decode(vector: Vector, chunks: readonly Buffer[]): Packet {
  const packets: Packet[] = [];
  const decoder = new Decoder(vector.magic, LIMIT);
  for (const chunk of chunks) decoder.push(chunk, (packet) => packets.push(packet));
  const [packet, next] = packets;
  assert.equal(packets.length, 2);
  assert.equal(next?.data.toString(), 'next');
  assert.ok(packet !== undefined);
  return packet;
}

/** The arguments, and the data behind them where the type has some. */
function partsOf({ type, args, data }: Vector): readonly (string | Uint8Array)[] {
  return PACKET_TYPES[type]?.data === undefined ? args : [...args, data];
}

function check(vector: Vector, packet: Packet): void {
  assert.equal(packet.type, vector.type);
  assert.equal(packet.length, vector.bytes.length - 12);
  if (vector.isFramedOnly) return;
  assert.deepEqual(
    vector.args.map((_, index) => packet.bytes(index)),
    vector.args,
  );
  const hasData = PACKET_TYPES[vector.type]?.data !== undefined;
  assert.deepEqual(packet.data, hasData ? vector.data : Buffer.alloc(0));
}

describe('the vectors', () => {
  it('are 157, two of which are what PROTOCOL says of reduce jobs and gearmand does not answer', () => {
    assert.equal(VECTORS.length, 157);
    assert.deepEqual(
      VECTORS.filter(({ isFramedOnly }) => isFramedOnly).map(({ type }) => PACKET_TYPES[type]?.name),
      ['SUBMIT_REDUCE_JOB', 'SUBMIT_REDUCE_JOB_BACKGROUND'],
    );
  });

  for (const magic of ['REQ', 'RES'] as const) {
    it(`of one direction are a stream (${magic}), in any cuts`, () => {
      const vectors = VECTORS.filter((vector) => vector.magic === magic);
      const stream = Buffer.concat(vectors.map(({ bytes }) => bytes));
      const cuts = fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 200 });
      fc.assert(
        fc.property(cuts, (places) => {
          const ends = [...places.sort((a, b) => a - b), stream.length];
          const packets: Packet[] = [];
          const decoder = new Decoder(magic, LIMIT);
          for (const [index, end] of ends.entries()) {
            decoder.push(stream.subarray(ends[index - 1] ?? 0, end), (packet) => packets.push(packet));
          }
          assert.equal(packets.length, vectors.length);
          for (const [index, packet] of packets.entries()) check(vectors[index] ?? assert.fail(), packet);
        }),
        { numRuns: 30 },
      );
    });
  }

  it('of one direction are batched together as the same bytes', () => {
    for (const magic of ['REQ', 'RES'] as const) {
      const batch = new Batch(magic);
      const sent = VECTORS.filter(
        (vector) =>
          vector.magic === magic && !vector.isDecodeOnly && !vector.isFramedOnly && vector.bytes.length < 1000,
      );
      for (const vector of sent) batch.add(vector.type, partsOf(vector));
      assert.deepEqual(Buffer.concat(batch.take()), Buffer.concat(sent.map(({ bytes }) => bytes)));
    }
  });
});

describe('the table', () => {
  it('has the types 1 to 42 but for 5', () => {
    const numbers = PACKET_TYPES.flatMap((type) => (type === undefined ? [] : [type.number]));
    assert.deepEqual(
      numbers,
      Array.from({ length: 42 }, (_, index) => index + 1).filter((number) => number !== 5),
    );
  });

  it('is covered by vectors, and names types as they do', () => {
    for (const type of PACKET_TYPES) {
      if (type === undefined) continue;
      const vectors = VECTORS.filter((vector) => vector.type === type.number);
      assert.ok(vectors.length > 0, type.name);
      for (const { typeName } of vectors) assert.equal(typeName, type.name);
    }
  });
});

for (const vector of VECTORS) {
  const stream = Buffer.concat([vector.bytes, NEXT[vector.magic]]);
  describe(vector.name, () => {
    it('decodes whole', () => {
      check(vector, decode(vector, [stream]));
    });

    it('decodes byte by byte', () => {
      check(
        vector,
        decode(
          vector,
          Array.from(stream, (byte) => Buffer.from([byte])),
        ),
      );
    });

    it('decodes in any cuts', () => {
      const cuts = fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 6 });
      fc.assert(
        fc.property(cuts, (places) => {
          const ends = [...places.sort((a, b) => a - b), stream.length];
          check(
            vector,
            decode(
              vector,
              ends.map((end, index) => stream.subarray(ends[index - 1] ?? 0, end)),
            ),
          );
        }),
        { numRuns: 20 },
      );
    });

    if (vector.isDecodeOnly || vector.isFramedOnly) return;

    it('encodes to its bytes', () => {
      assert.deepEqual(encode(vector.magic, vector.type, vector.args, vector.data), vector.bytes);
      const texts = vector.args.map((arg) => arg.toString());
      const isText = texts.every((text, index) => Buffer.from(text).equals(vector.args[index] ?? Buffer.alloc(0)));
      if (isText) assert.deepEqual(encode(vector.magic, vector.type, texts, vector.data), vector.bytes);
    });

    it('is batched as its bytes', () => {
      const batch = new Batch(vector.magic);
      batch.add(vector.type, partsOf(vector));
      assert.equal(batch.bytes, vector.bytes.length);
      assert.deepEqual(Buffer.concat(batch.take()), vector.bytes);
    });
  });
}
