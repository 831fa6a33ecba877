/**
 * Packets that are strings alone, written many at once: out of JavaScript each write takes as long as a hundred bytes, and looking at
 * each character takes longer than that.
 */
import { writeHeader, writeLength, type Encoding } from './encode.js';
import { HEADER_BYTES, PACKET_TYPES, type Magic } from './packet.js';

/** So many characters are written at once; with more there is little left to gain. */
const ENOUGH = 1536;

/** What has begun packets so often is made one piece: to do that takes as long as a packet, to have it saves a tenth of one. */
const OFTEN = 8;

/** Headers by type, with no length yet, one character a byte. */
const HEADERS: Readonly<Record<Magic, readonly string[]>> = { REQ: headersOf('REQ'), RES: headersOf('RES') };

function headersOf(magic: Magic): string[] {
  return PACKET_TYPES.map((_, type) => {
    const header = Buffer.alloc(HEADER_BYTES);
    writeHeader(header, 0, { magic, type, length: 0 });
    return header.toString('latin1');
  });
}

/** See the head of this file. */
export class Strings {
  readonly #encoding: Encoding;
  readonly #headers: readonly string[];
  #text = '';
  /** Of each body, in characters. */
  #lengths: number[] = [];
  /** Type and first argument of the last packet with several, what it began with, and how often it has come again. */
  #type = -1;
  #first = '';
  #beginning = '';
  #repeats = 0;

  constructor(magic: Magic, encoding: Encoding) {
    this.#encoding = encoding;
    this.#headers = HEADERS[magic];
  }

  /** Number of characters. */
  get length(): number {
    return this.#text.length;
  }

  /** Whether it is time to write them. */
  get isEnough(): boolean {
    return this.#text.length >= ENOUGH;
  }

  /** Adds a packet that has arguments. */
  add(type: number, args: readonly string[]): void {
    const [first = ''] = args;
    const last = args.length - 1;
    // From the left: that is how a long string is cheapest to put together, and to write.
    let text = this.#text + (last > 0 ? this.#begin(type, first) : (this.#headers[type] ?? ''));
    for (let index = 1; index < last; index++) text = text + (args[index] ?? '') + '\0';
    text += args[last] ?? '';
    this.#lengths.push(text.length - this.#text.length - HEADER_BYTES);
    this.#text = text;
  }

  /** Writes all and forgets them; returns the offset behind them. There must be room for three bytes a character. */
  writeTo(target: Buffer, offset: number): number {
    const text = this.#text;
    const lengths = this.#lengths;
    this.#text = '';
    this.#lengths = [];
    const size = target.write(text, offset, this.#encoding);
    if (size !== text.length) return this.#writeEach(target, offset, text, lengths);
    let start = offset;
    for (const length of lengths) {
      writeLength(target, start, length);
      start += HEADER_BYTES + length;
    }
    return start;
  }

  /** Header, first argument and NUL. Packets with several arguments often begin as the one before did: with a function name. */
  #begin(type: number, first: string): string {
    if (type !== this.#type || first !== this.#first) {
      this.#type = type;
      this.#first = first;
      this.#beginning = `${this.#headers[type] ?? ''}${first}\0`;
      this.#repeats = 0;
    } else if (++this.#repeats === OFTEN) {
      this.#beginning = Buffer.from(this.#beginning).toString();
    }
    return this.#beginning;
  }

  /** Some characters take more than one byte. */
  #writeEach(target: Buffer, offset: number, text: string, lengths: readonly number[]): number {
    let end = offset;
    let at = 0;
    for (const length of lengths) {
      const size = target.write(text.slice(at, at + HEADER_BYTES + length), end, this.#encoding);
      writeLength(target, end, size - HEADER_BYTES);
      end += size;
      at += HEADER_BYTES + length;
    }
    return end;
  }
}
