/** Encoding: exact packets, and the fewest buffers for those of one tick. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GearmanArgumentError } from '../../src/errors.js';
import { Batch } from '../../src/protocol/batch.js';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';

const BG = TYPE.SUBMIT_JOB_BG;

describe('encode', () => {
  it('refuses what would be another packet on the other side', () => {
    const wrong = [
      () => encode('REQ', 5),
      () => encode('REQ', BG, ['f'], 'w'),
      () => encode('REQ', BG, ['f', 'a\0b'], 'w'),
      () => encode('REQ', BG, [Buffer.from('f\0'), 'u'], 'w'),
      () => encode('REQ', TYPE.GET_STATUS, ['H:1'], 'data'),
      () => encode('RES', TYPE.STATUS_RES, ['H:1', '1', '1', '3\0', '4']),
    ];
    for (const run of wrong) assert.throws(run, GearmanArgumentError);
  });

  it('counts bytes, not characters', () => {
    const packet = encode('REQ', BG, ['größe', '🎉'], '✓');
    assert.equal(packet.readUInt32BE(8), 7 + 1 + 4 + 1 + 3);
    assert.equal(packet.length, 12 + 16);
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
          batch.addWithData(BG, [fn, unique], data);
          batch.add(TYPE.GET_STATUS, [unique]);
        }
        taken.push(...batch.take());
        const expected = jobs.flatMap(([fn, unique, data]) => [
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
    for (let count = 0; count < 20; count++) batch.addWithData(BG, ['f', 'u'], 'w');
    assert.equal(batch.take().length, 1);
    assert.equal(batch.take().length, 0);
  });

  it('passes payloads of 16 KiB and more by reference', () => {
    const batch = new Batch('REQ');
    const large = Buffer.alloc(16_384, 'x');
    batch.addWithData(BG, ['f', 'u'], 'small');
    batch.addWithData(BG, ['f', 'u'], large);
    batch.addWithData(BG, ['f', 'u'], large.subarray(1));
    assert.equal(batch.bytes, 3 * 16 + 5 + 16_384 + 16_383);
    const buffers = batch.take();
    assert.equal(buffers.length, 3);
    assert.equal(buffers[1], large);
  });

  it('never writes again to what was taken', () => {
    const batch = new Batch('REQ');
    const taken: Uint8Array[] = [];
    const copies: Buffer[] = [];
    for (let count = 0; count < 500; count++) {
      batch.addWithData(BG, ['f', String(count)], 'x'.repeat(count));
      taken.push(...batch.take());
      copies.push(...taken.slice(copies.length).map((bytes) => Buffer.from(bytes)));
    }
    assert.deepEqual(
      taken.map((bytes) => Buffer.from(bytes)),
      copies,
    );
  });
});
