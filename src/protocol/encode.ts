/** Packets to bytes. Strings are written as UTF-8, or as latin1 where a side keeps what it reads like that; bytes as they are. */
import { invalidArgument } from '../errors.js';
import { HEADER_BYTES, MAGIC_NUMBER, PACKET_TYPES, nameOfType, type Magic } from './packet.js';

/** An argument of a packet that is to be sent. */
export type Argument = string | Uint8Array;

/** How strings become bytes. */
export type Encoding = 'utf8' | 'latin1';

/** Up to this many characters are written one by one, which is cheaper than a call out of JavaScript. */
const BY_HAND = 64;

/** Length in bytes of an argument on the wire. */
function byteLength(argument: Argument): number {
  return typeof argument === 'string' ? Buffer.byteLength(argument) : argument.byteLength;
}

/** At most this many bytes does an argument take; no need to look at its characters. */
export function maxByteLength(argument: Argument): number {
  return typeof argument === 'string' ? argument.length * 3 : argument.length;
}

/** Writes an argument and returns the offset behind it. The target must have room for its bytes. */
export function writeArgument(target: Buffer, offset: number, argument: Argument, encoding: Encoding = 'utf8'): number {
  // Asked for once: arguments are of so many kinds that to ask for anything of one takes as long as to write a character.
  const { length } = argument;
  if (typeof argument !== 'string') {
    // None are copied of memory that was transferred away since it was checked: that would throw in the middle of a packet.
    if (length > 0) target.set(argument, offset);
    return offset + length;
  }
  if (length <= BY_HAND) {
    let index = 0;
    for (; index < length; index++) {
      const code = argument.charCodeAt(index);
      if (code > 127) break;
      target[offset + index] = code;
    }
    if (index === length) return offset + index;
  }
  return offset + target.write(argument, offset, encoding);
}

/** Writes the three numbers of a header; `length` counts everything behind it. */
export function writeHeader(
  target: Buffer,
  offset: number,
  head: { magic: Magic; type: number; length: number },
): void {
  writeUInt32(target, offset, MAGIC_NUMBER[head.magic]);
  writeUInt32(target, offset + 4, head.type);
  writeLength(target, offset, head.length);
}

/** Writes the third number of a header that begins at the offset. */
export function writeLength(target: Buffer, offset: number, length: number): void {
  writeUInt32(target, offset + 8, length);
}

function writeUInt32(target: Buffer, offset: number, value: number): void {
  target[offset] = value >>> 24;
  target[offset + 1] = value >>> 16;
  target[offset + 2] = value >>> 8;
  target[offset + 3] = value;
}

/**
 * One packet in a buffer of exactly its size.
 * @param args - the arguments in front of the data, as many as the type has
 * @param data - the opaque last argument, empty by default, for types that have one
 * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: no such type, wrong number of arguments, or a NUL where it would split one
 */
export function encode(magic: Magic, type: number, args: readonly Argument[] = [], data: Argument = ''): Buffer {
  const definition = PACKET_TYPES[type];
  if (definition === undefined) throw invalidArgument(`There is no packet type ${String(type)}.`);
  if (args.length !== definition.args.length) {
    throw invalidArgument(
      `${definition.name} has ${String(definition.args.length)} arguments, not ${String(args.length)}.`,
    );
  }
  const hasData = definition.data !== undefined;
  if (!hasData && data.length > 0) throw invalidArgument(`${definition.name} has no data.`);
  const parts = hasData ? [...args, data] : args;
  if (parts.slice(0, -1).some(hasNul)) throw invalidArgument(`A NUL would split an argument of ${nameOfType(type)}.`);
  const bodyLength = parts.reduce((sum, part) => sum + byteLength(part), Math.max(0, parts.length - 1));
  const packet = Buffer.alloc(HEADER_BYTES + bodyLength);
  writeHeader(packet, 0, { magic, type, length: bodyLength });
  let offset = HEADER_BYTES;
  // The NUL between two arguments is there already: the buffer starts as zeros.
  for (const part of parts) offset = writeArgument(packet, offset, part) + 1;
  return packet;
}

function hasNul(argument: Argument): boolean {
  return typeof argument === 'string' ? argument.includes('\0') : argument.includes(0);
}
