/** Collects packets into the fewest buffers: small ones share a slab, large payloads go by reference. */
import { maxByteLength, writeArgument, writeHeader, type Argument, type Encoding } from './encode.js';
import { HEADER_BYTES, type Magic } from './packet.js';
import { Strings } from './strings.js';

/** From this size on a payload is not copied. */
const BY_REFERENCE = 16_384;

/** A connection's first slab; each next one is twice as large, up to the last figure. */
const FIRST_SLAB = 4096;
const LARGEST_SLAB = 131_072;

const NUL = 0;
const EMPTY_SLAB = Buffer.alloc(0);

/** Whether all are strings and short enough to be copied. Where there are none, nothing is gained. */
function areShortStrings(args: readonly Argument[]): args is readonly string[] {
  for (const argument of args) {
    if (typeof argument !== 'string' || maxByteLength(argument) >= BY_REFERENCE) return false;
  }
  return args.length > 0;
}

/**
 * Packets in one direction of one connection. Arguments must have passed `arguments.ts`: no NUL is looked for here.
 * What {@link take} returns is never written again; the payloads in it are the caller's own memory.
 */
export class Batch {
  readonly #magic: Magic;
  readonly #encoding: Encoding;
  /** What was added last, as long as it is strings alone. */
  readonly #strings: Strings;
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
    this.#strings = new Strings(magic, encoding);
  }

  /** Bytes that wait to be taken. */
  get bytes(): number {
    return this.#bytes + this.#end - this.#start + this.#strings.length;
  }

  /** Adds a packet; what is opaque data is the last argument. */
  add(type: number, args: readonly Argument[]): void {
    // If one is bytes, it is mostly the last.
    if (typeof args[args.length - 1] !== 'string' || !areShortStrings(args)) {
      this.#addInPieces(type, args);
      return;
    }
    // Before it is added, for this may throw where memory ends.
    if (this.#strings.isEnough) this.#writeStrings();
    this.#strings.add(type, args);
  }

  /** Adds bytes as they are: a line of text between packets. */
  addBytes(bytes: Uint8Array): void {
    this.#writeStrings();
    this.#addByReference(bytes);
  }

  /** What was added since the last call, in order, and forgets it. */
  take(): readonly Uint8Array[] {
    this.#writeStrings();
    this.#closeSlab();
    const buffers = this.#buffers;
    this.#buffers = [];
    this.#bytes = 0;
    return buffers;
  }

  /** Adds a packet whose arguments are written one by one. */
  #addInPieces(type: number, args: readonly Argument[]): void {
    this.#writeStrings();
    const last = args[args.length - 1] ?? '';
    const lastSize = maxByteLength(last);
    const isLarge = lastSize >= BY_REFERENCE;
    let size = HEADER_BYTES + (isLarge ? 0 : lastSize);
    for (let index = 0; index < args.length - 1; index++) size += maxByteLength(args[index] ?? '') + 1;
    this.#reserve(size);
    const slab = this.#slab;
    const start = this.#end;
    let end = start + HEADER_BYTES;
    for (let index = 0; index < args.length - 1; index++) {
      end = writeArgument(slab, end, args[index] ?? '', this.#encoding);
      slab[end++] = NUL;
    }
    if (!isLarge) end = writeArgument(slab, end, last, this.#encoding);
    const large = isLarge ? this.#asBytes(last) : EMPTY_SLAB;
    writeHeader(slab, start, { magic: this.#magic, type, length: end - start - HEADER_BYTES + large.length });
    this.#end = end;
    if (isLarge) this.#addByReference(large);
  }

  #asBytes(data: Argument): Uint8Array {
    return typeof data === 'string' ? Buffer.from(data, this.#encoding) : data;
  }

  #addByReference(bytes: Uint8Array): void {
    this.#closeSlab();
    this.#buffers.push(bytes);
    this.#bytes += bytes.byteLength;
  }

  #writeStrings(): void {
    if (this.#strings.length === 0) return;
    this.#reserve(this.#strings.length * 3);
    this.#end = this.#strings.writeTo(this.#slab, this.#end);
  }

  /** Makes room in the slab, or a new slab; what the old one holds is kept for {@link take}. */
  #reserve(needed: number): void {
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
