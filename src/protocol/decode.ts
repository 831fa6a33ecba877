/** Bytes to packets. */
import { gearmanError, type GearmanError } from '../errors.js';
import { Packet } from './incoming.js';
import { ARGUMENT_BYTES, HEADER_BYTES, MAGIC_NUMBER, PACKET_TYPES, TYPE, nameOfType, type Magic } from './packet.js';

/** Below this, pieces of a body are copied together as they come, so that bytes that drip in cost no object each. */
const SMALL_PIECE = 4096;
const SLAB_BYTES = 65_536;

const NOTHING = Buffer.alloc(0);

const IS_SENT: Readonly<Record<Magic, readonly boolean[]>> = {
  REQ: PACKET_TYPES.map((type) => type?.senders.some((sender) => sender !== 'server') === true),
  RES: PACKET_TYPES.map((type) => type?.senders.includes('server') === true),
};

/** A number without a type that gearmand takes for one. */
const UNUSED = 5;

/** A body that came in several chunks. Large chunks are kept as they are and joined once; small ones are copied together. */
class Pieces {
  readonly #length: number;
  readonly #pieces: Buffer[] = [];
  #slab = NOTHING;
  #slabUsed = 0;
  #received = 0;

  constructor(length: number) {
    this.#length = length;
  }

  get missing(): number {
    return this.#length - this.#received;
  }

  add(piece: Buffer): void {
    this.#received += piece.length;
    if (piece.length >= SMALL_PIECE) {
      this.#closeSlab();
      this.#pieces.push(piece);
      return;
    }
    if (this.#slab.length - this.#slabUsed < piece.length) {
      this.#closeSlab();
      this.#slab = Buffer.allocUnsafeSlow(Math.min(SLAB_BYTES, piece.length + this.missing));
    }
    piece.copy(this.#slab, this.#slabUsed);
    this.#slabUsed += piece.length;
  }

  join(): Buffer {
    this.#closeSlab();
    const [only] = this.#pieces;
    return this.#pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.#pieces, this.#length);
  }

  #closeSlab(): void {
    if (this.#slabUsed > 0) this.#pieces.push(this.#slab.subarray(0, this.#slabUsed));
    this.#slab = this.#slab.subarray(this.#slabUsed);
    this.#slabUsed = 0;
  }
}

/**
 * Takes the bytes of one direction of one connection in any cuts and gives whole packets, in time linear in the bytes.
 *
 * The chunks belong to the decoder: packets are views of them. It throws a `GearmanProtocolError` once and then stays dead:
 * `GEARMAN_INVALID_MAGIC` with the first wrong byte, `GEARMAN_DATA_TOO_LARGE`, `GEARMAN_INVALID_COMMAND` (no such type) and
 * `GEARMAN_UNEXPECTED_PACKET` (not sent in this direction) when the header is there.
 */
export class Decoder {
  readonly #magic: Magic;
  readonly #magicNumber: number;
  /** By type: whether it is sent in this direction. */
  readonly #isSent: readonly boolean[];
  readonly #maxPacketSize: number;
  readonly #isLenient: boolean;
  /** What has come of a header that a chunk cut; and how much. */
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerUsed = 0;
  /** The body that is being collected, and its type. */
  #pieces: Pieces | undefined;
  #type = 0;
  #isStopped = false;

  /**
   * @param maxPacketSize - the most bytes of data in a packet; its arguments may have 8 KiB more
   * @param isLenient - lets through what a job server answers with an ERROR: types that are not sent in this direction, and packets
   *   with the magic of the other one, whose type it gives as {@link TYPE.FOREIGN}
   */
  constructor(magic: Magic, maxPacketSize: number, isLenient = false) {
    this.#magic = magic;
    this.#magicNumber = MAGIC_NUMBER[magic];
    this.#isSent = IS_SENT[magic];
    this.#maxPacketSize = maxPacketSize;
    this.#isLenient = isLenient;
  }

  /** Whether the next byte begins a packet. */
  get isBetweenPackets(): boolean {
    return this.#pieces === undefined && this.#headerUsed === 0;
  }

  /** Hands each packet that is complete to `sink`, in order. What `sink` throws ends the decoder, too. */
  push(chunk: Buffer, sink: (packet: Packet) => void): void {
    let offset = 0;
    try {
      while (offset < chunk.length && !this.#isStopped) offset = this.#step(chunk, offset, sink);
    } catch (error) {
      this.#isStopped = true;
      throw error;
    }
  }

  /** As {@link push}, but at most one packet of the chunk, from an offset on; returns how far it read. */
  step(chunk: Buffer, offset: number, sink: (packet: Packet) => void): number {
    if (this.#isStopped) return chunk.length;
    try {
      return this.#step(chunk, offset, sink);
    } catch (error) {
      this.#isStopped = true;
      throw error;
    }
  }

  /** Ends the decoder, also from within a `sink`: bytes that still come are ignored. */
  stop(): void {
    this.#isStopped = true;
  }

  #step(chunk: Buffer, offset: number, sink: (packet: Packet) => void): number {
    if (this.#pieces === undefined) return this.#start(chunk, offset, sink);
    return this.#collect(this.#pieces, chunk, offset, sink);
  }

  /** Reads a header and what the chunk has of its body; returns how far it came. */
  #start(chunk: Buffer, offset: number, sink: (packet: Packet) => void): number {
    if (this.#headerUsed > 0 || chunk.length - offset < HEADER_BYTES) return this.#collectHeader(chunk, offset, sink);
    const length = this.#readHeader(chunk, offset);
    const start = offset + HEADER_BYTES;
    const end = start + length;
    if (end <= chunk.length) {
      sink(new Packet(this.#type, chunk, start, end));
      return end;
    }
    this.#pieces = new Pieces(length);
    return start;
  }

  #collectHeader(chunk: Buffer, offset: number, sink: (packet: Packet) => void): number {
    const count = Math.min(HEADER_BYTES - this.#headerUsed, chunk.length - offset);
    chunk.copy(this.#header, this.#headerUsed, offset, offset + count);
    this.#headerUsed += count;
    if (this.#headerUsed < HEADER_BYTES) {
      this.#checkMagic(this.#header, 0, Math.min(4, this.#headerUsed));
      return offset + count;
    }
    this.#headerUsed = 0;
    const length = this.#readHeader(this.#header, 0);
    if (length === 0) sink(new Packet(this.#type, NOTHING, 0, 0));
    else this.#pieces = new Pieces(length);
    return offset + count;
  }

  #collect(pieces: Pieces, chunk: Buffer, offset: number, sink: (packet: Packet) => void): number {
    const end = Math.min(chunk.length, offset + pieces.missing);
    pieces.add(chunk.subarray(offset, end));
    if (pieces.missing === 0) {
      const body = pieces.join();
      this.#pieces = undefined;
      sink(new Packet(this.#type, body, 0, body.length));
    }
    return end;
  }

  /** Checks a whole header, remembers its type and returns the length of the body. */
  #readHeader(bytes: Buffer, offset: number): number {
    const isForeign = readUInt32(bytes, offset) !== this.#magicNumber;
    if (isForeign) this.#checkMagic(bytes, offset, 4);
    this.#type = readUInt32(bytes, offset + 4);
    const length = readUInt32(bytes, offset + 8);
    if (this.#isSent[this.#type] !== true) this.#checkType();
    if (length > this.#maxPacketSize + ARGUMENT_BYTES) throw this.#tooLarge(length);
    if (isForeign) this.#type = TYPE.FOREIGN;
    return length;
  }

  /** Refuses a type that is not sent in this direction. */
  #checkType(): void {
    if (PACKET_TYPES[this.#type] === undefined && !(this.#isLenient && this.#type === UNUSED)) {
      throw gearmanError('GEARMAN_INVALID_COMMAND', `There is no packet type ${String(this.#type)}.`);
    }
    if (this.#isLenient) return;
    const from = this.#magic === 'RES' ? 'A job server' : 'A client or worker';
    throw gearmanError('GEARMAN_UNEXPECTED_PACKET', `${from} sends no ${nameOfType(this.#type)}.`);
  }

  #tooLarge(length: number): GearmanError {
    const limit = `the option maxPacketSize allows ${String(this.#maxPacketSize)} bytes of data`;
    const message = `${nameOfType(this.#type)} announces ${String(length)} bytes; ${limit}.`;
    return gearmanError('GEARMAN_DATA_TOO_LARGE', message);
  }

  /** Compares byte by byte, so that a header that never gets full is refused at its first wrong byte. */
  #checkMagic(bytes: Buffer, offset: number, count: number): void {
    const magic = MAGIC_NUMBER[this.#magic];
    for (let index = 0; index < count; index++) {
      if (bytes[offset + index] === byteOf(magic, index)) continue;
      if (this.#isLenient && bytes[offset + index] === byteOf(MAGIC_NUMBER[OTHER[this.#magic]], index)) continue;
      const came = bytes.toString('hex', offset, offset + index + 1);
      const message = `Expected a packet to begin with \\0${this.#magic}, but 0x${came} came. Is this port a Gearman job server?`;
      throw gearmanError('GEARMAN_INVALID_MAGIC', message);
    }
  }
}

/** The magic of the packets in the other direction. */
const OTHER = { REQ: 'RES', RES: 'REQ' } as const;

/** What `readUInt32BE` comes to after its checks, which would be a twentieth of the cost of a call. */
function readUInt32(bytes: Buffer, offset: number): number {
  const high = ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
  const low = ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0);
  return high * 0x10000 + low;
}

function byteOf(magic: number, index: number): number {
  return (magic >>> (24 - 8 * index)) & 0xff;
}
