/** Collects the packets of a tick into the fewest buffers: small ones share a slab, large payloads go by reference. */
import { maxByteLength, writeArgument, writeHeader, type Argument, type Encoding } from './encode.js';
import { HEADER_BYTES, type Magic } from './packet.js';

/** From this size on a payload is not copied. */
const BY_REFERENCE = 16_384;

/** A connection's first slab; each next one is twice as large, up to the last figure. */
const FIRST_SLAB = 4096;
const LARGEST_SLAB = 131_072;

const NUL = 0;
const EMPTY_SLAB = Buffer.alloc(0);

/** At most so many bytes do arguments take, each with its NUL. */
function sizeOf(args: readonly Argument[]): number {
  let size = 0;
  for (const argument of args) size += maxByteLength(argument) + 1;
  return size;
}

/**
 * Packets in one direction of one connection. Arguments must have passed `arguments.ts`: no NUL is looked for here.
 * What {@link take} returns is never written again; the payloads in it are the caller's own memory.
 */
export class Batch {
  readonly #magic: Magic;
  readonly #encoding: Encoding;
  #slab = EMPTY_SLAB;
  /** The part of the slab that is filled but not taken. */
  #start = 0;
  #end = 0;
  #buffers: Uint8Array[] = [];
  #bytes = 0;

  /** @param encoding - what strings are written as */
  constructor(magic: Magic, encoding: Encoding = 'utf8') {
    this.#magic = magic;
    this.#encoding = encoding;
  }

  /** Bytes that wait to be taken. */
  get bytes(): number {
    return this.#bytes + this.#end - this.#start;
  }

  /** Adds a packet of a type without data. */
  add(type: number, args: readonly Argument[]): void {
    this.#reserve(sizeOf(args));
    const start = this.#end;
    const body = this.#writeArguments(args);
    // No NUL stands behind the last argument.
    this.#end = args.length === 0 ? body : this.#end - 1;
    writeHeader(this.#slab, start, { magic: this.#magic, type, length: this.#end - body });
  }

  /** Adds a packet of a type whose last argument is opaque data. */
  addWithData(type: number, args: readonly Argument[], data: Argument): void {
    const size = maxByteLength(data);
    const isLarge = size >= BY_REFERENCE;
    this.#reserve(sizeOf(args) + (isLarge ? 0 : size));
    const start = this.#end;
    const body = this.#writeArguments(args);
    if (!isLarge) this.#end = writeArgument(this.#slab, this.#end, data, this.#encoding);
    const large = isLarge ? this.#asBytes(data) : EMPTY_SLAB;
    writeHeader(this.#slab, start, { magic: this.#magic, type, length: this.#end - body + large.byteLength });
    if (isLarge) this.#addByReference(large);
  }

  /** Adds bytes as they are: a line of text between packets. */
  addBytes(bytes: Uint8Array): void {
    this.#addByReference(bytes);
  }

  /** {@link addWithData} for the packet of which clients send a million, with its two arguments: no list is made of them. */
  addJob(type: number, name: string, unique: string, workload: Argument): void {
    const size = maxByteLength(workload);
    if (size >= BY_REFERENCE) {
      this.addWithData(type, [name, unique], workload);
      return;
    }
    this.#reserve(maxByteLength(name) + maxByteLength(unique) + 2 + size);
    const slab = this.#slab;
    const start = this.#end;
    let end = writeArgument(slab, start + HEADER_BYTES, name);
    slab[end++] = NUL;
    end = writeArgument(slab, end, unique);
    slab[end++] = NUL;
    this.#end = writeArgument(slab, end, workload);
    writeHeader(slab, start, { magic: this.#magic, type, length: this.#end - start - HEADER_BYTES });
  }

  /** What was added since the last call, in order, and forgets it. */
  take(): readonly Uint8Array[] {
    this.#closeSlab();
    const buffers = this.#buffers;
    this.#buffers = [];
    this.#bytes = 0;
    return buffers;
  }

  /** Writes the arguments, each with its NUL, behind a gap for the header; returns where the body begins. */
  #writeArguments(args: readonly Argument[]): number {
    const body = this.#end + HEADER_BYTES;
    let end = body;
    for (const argument of args) {
      end = writeArgument(this.#slab, end, argument, this.#encoding);
      this.#slab[end++] = NUL;
    }
    this.#end = end;
    return body;
  }

  #asBytes(data: Argument): Uint8Array {
    return typeof data === 'string' ? Buffer.from(data, this.#encoding) : data;
  }

  #addByReference(bytes: Uint8Array): void {
    this.#closeSlab();
    this.#buffers.push(bytes);
    this.#bytes += bytes.byteLength;
  }

  /** Makes room for a body in the slab, or a new slab; what the old one holds is kept for {@link take}. */
  #reserve(bodyBytes: number): void {
    const needed = HEADER_BYTES + bodyBytes;
    if (this.#slab.length - this.#end >= needed) return;
    this.#closeSlab();
    const next = Math.min(LARGEST_SLAB, Math.max(FIRST_SLAB, this.#slab.length * 2));
    this.#slab = Buffer.allocUnsafeSlow(Math.max(next, needed));
    this.#start = this.#end = 0;
  }

  #closeSlab(): void {
    if (this.#end === this.#start) return;
    const filled = this.#slab.subarray(this.#start, this.#end);
    this.#buffers.push(filled);
    this.#bytes += filled.length;
    this.#start = this.#end;
  }
}
