/** A packet that came in: its arguments, its data, and whose memory it is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Decoder } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';
import { PACKET_TYPES, TYPE } from '../../src/protocol/packet.js';
import { breaks, header, pushAll } from '../support/packets.js';

const LIMIT = 100_000;

describe('a packet', () => {
  const only = (bytes: Buffer): Packet => {
    const [packet] = pushAll(new Decoder('RES', LIMIT), [bytes]);
    assert.ok(packet !== undefined);
    return packet;
  };

  const needed = PACKET_TYPES.flatMap((type) => {
    if (type?.senders.includes('server') !== true) return [];
    const separators = type.args.length - (type.data === undefined ? 1 : 0);
    return separators > 0 ? [{ ...type, separators }] : [];
  });
  for (const { number, name, separators } of needed) {
    it(`whose body does not hold the arguments of ${name} is an error, whichever is asked for`, () => {
      for (let nuls = 0; nuls < separators; nuls++) {
        const body = Buffer.from('arg\0'.repeat(nuls) + 'rest');
        const packet = only(Buffer.concat([header(number, body.length), body]));
        const message = new RegExp(`^${name} holds ${nuls} of its arguments`);
        breaks(() => packet.split(), 'GEARMAN_INVALID_PACKET', message);
        breaks(() => packet.latin1(0), 'GEARMAN_INVALID_PACKET', message);
        breaks(() => packet.utf8(0), 'GEARMAN_INVALID_PACKET', message);
        breaks(() => packet.bytes(0), 'GEARMAN_INVALID_PACKET', message);
      }
      const body = Buffer.from('arg\0'.repeat(separators));
      assert.doesNotThrow(() => only(Buffer.concat([header(number, body.length), body])).split());
    });
  }

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

  it('is a view of the chunk, which from then on belongs to it', () => {
    const bytes = encode('RES', TYPE.WORK_DATA, ['H:1'], 'abc');
    const { data } = only(bytes);
    assert.equal(data.buffer, bytes.buffer);
    bytes.fill('z', bytes.length - 3);
    assert.equal(data.toString(), 'zzz');
  });

  it('whose body came in one chunk is a view of that, too, though its header came before', () => {
    const bytes = encode('RES', TYPE.WORK_DATA, ['H:1'], Buffer.alloc(5000));
    const [packet] = pushAll(new Decoder('RES', LIMIT), [bytes.subarray(0, 12), bytes.subarray(12)]);
    assert.equal(packet?.data.buffer, bytes.buffer);
  });

  it('whose body came in several chunks is a copy', () => {
    const chunks = [encode('RES', TYPE.WORK_DATA, ['H:1'], Buffer.alloc(90_000, 'x'))].flatMap((bytes) =>
      [0, 20_000, 40_000, 41_000, 80_000].map((start, index, starts) =>
        Buffer.from(bytes.subarray(start, starts[index + 1])),
      ),
    );
    const [packet] = pushAll(new Decoder('RES', LIMIT), chunks);
    for (const chunk of chunks) chunk.fill('z');
    assert.ok(packet?.data.equals(Buffer.alloc(90_000, 'x')));
  });

  it('may have a NUL behind its handle, as some of gearmand have, which is not part of it', () => {
    for (const type of [TYPE.WORK_FAIL, TYPE.JOB_CREATED]) {
      const body = Buffer.from('H:1\0');
      assert.equal(only(Buffer.concat([header(type, body.length), body])).latin1(0), 'H:1');
    }
  });

  it('without arguments may have a body, which is ignored', () => {
    const packet = only(Buffer.concat([header(TYPE.NO_JOB, 2), Buffer.from('ab')]));
    assert.deepEqual([packet.length, packet.split(), packet.data.length], [2, [], 0]);
  });

  it('has its data whole, NULs included, and none is data, too', () => {
    const data = Buffer.from('\0\0x\0');
    assert.deepEqual(only(encode('RES', TYPE.WORK_DATA, ['H:1'], data)).data, data);
    assert.equal(only(encode('RES', TYPE.WORK_DATA, ['H:1'])).data.length, 0);
    assert.equal(only(encode('RES', TYPE.ECHO_RES)).data.length, 0);
  });

  it('has its data as a string, too, one character a byte', () => {
    const packet = only(encode('RES', TYPE.WORK_DATA, ['H:1'], Buffer.of(0, 0xff)));
    assert.deepEqual([packet.latin1Data, packet.dataLength], ['\0ÿ', 2]);
    const without = only(encode('RES', TYPE.NO_JOB));
    assert.deepEqual([without.latin1Data, without.dataLength], ['', 0]);
  });
});
