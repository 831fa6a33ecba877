/** Packets as bytes, and what a decoder makes of them. */
import assert from 'node:assert/strict';
import { GearmanProtocolError, type GearmanErrorCode } from '../../src/errors.js';
import type { Decoder } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';
import { HEADER_BYTES, PACKET_TYPES } from '../../src/protocol/packet.js';

/** The packets in these chunks. */
export function pushAll(decoder: Decoder, chunks: Iterable<Buffer>): Packet[] {
  const packets: Packet[] = [];
  for (const chunk of chunks) decoder.push(chunk, (packet) => packets.push(packet));
  return packets;
}

/** The header of a packet, with whatever body. */
export function header(type: number, length: number, magic = '\0RES'): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32BE(type, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

/** A packet of a type as the server sends it, with some text for each argument. */
export function anyPacket(type: number, dataBytes = 1): Buffer {
  const { args = [], data } = PACKET_TYPES[type] ?? {};
  const texts = args.map((name) => (name === 'handle' ? 'H:other' : '1'));
  return encode('RES', type, texts, data === undefined ? '' : Buffer.alloc(dataBytes));
}

/** What a peer sent breaks the protocol. */
export function breaks(run: () => unknown, code: GearmanErrorCode, message = /./): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof GearmanProtocolError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}
