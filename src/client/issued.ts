/**
 * The job handles that one server issued. They differ in the number at the end, so that what would be a set of strings is a set of
 * numbers, and a handle is not read anew but put together from its last digits and what it has in common with the one before.
 */
import { gearmanError } from '../errors.js';
import { MAX_HANDLE_BYTES } from '../protocol/arguments.js';
import type { Packet } from '../protocol/incoming.js';

const ZERO = 48;
const MOST_DIGITS = 9;
const LARGEST = 10 ** MOST_DIGITS - 1;

/** The last digits of a handle, as numbers and as text. */
const TAILS = Array.from({ length: 1000 }, (_, tail) => String(tail).padStart(3, '0'));

/** A set of whole numbers from 0 to {@link LARGEST}: numbers that follow each other, as a server issues them, share a word of 32 bits. */
class Numbers {
  /** How many there are. */
  size = 0;
  readonly #words = new Map<number, number>();
  /** The word of the last number; in the map when another one takes its place. */
  #place = -1;
  #word = 0;

  add(number: number): void {
    const place = number >>> 5;
    if (place !== this.#place) this.#turnTo(place);
    const word = this.#word;
    this.#word = word | (1 << number);
    if (this.#word !== word) this.size++;
  }

  has(number: number): boolean {
    const place = number >>> 5;
    const word = place === this.#place ? this.#word : (this.#words.get(place) ?? 0);
    return (word & (1 << number)) !== 0;
  }

  #turnTo(place: number): void {
    this.#words.set(this.#place, this.#word);
    this.#place = place;
    this.#word = this.#words.get(place) ?? 0;
  }
}

/** See the head of this file. */
export class Issued {
  /** What stands before the number, as `H:host:`; that of the first handle. */
  #prefix = '';
  #prefixBytes: Buffer = Buffer.alloc(0);
  readonly #numbers = new Numbers();
  /** Handles that are not the prefix and a number. */
  readonly #others = new Set<string>();
  /** The number of the handle that was read last; -1 if it was read as a whole. */
  #last = -1;
  /** What stood before the last three digits of the last one that was not, and its number. */
  #front = '';
  #frontNumber = 0;

  /** Number of handles. */
  get size(): number {
    return this.#numbers.size + this.#others.size;
  }

  /**
   * The handle that came in a JOB_CREATED. It is one of these from now on.
   * @throws GearmanProtocolError `GEARMAN_UNEXPECTED_PACKET` when it holds none
   */
  read(packet: Packet): string {
    const number = (this.#last = this.#numberIn(packet));
    const frontNumber = Math.floor(number / TAILS.length);
    if (frontNumber <= 0) return this.#readWhole(packet);
    if (frontNumber !== this.#frontNumber) {
      this.#frontNumber = frontNumber;
      this.#front = this.#prefix + String(frontNumber);
    }
    this.#numbers.add(number);
    return this.#front + (TAILS[number % TAILS.length] ?? '');
  }

  add(handle: string): void {
    // Longer ones cannot be asked for.
    if (handle.length > MAX_HANDLE_BYTES) return;
    if (this.#prefix === '') {
      this.#prefix = handle.slice(0, handle.lastIndexOf(':') + 1);
      this.#prefixBytes = Buffer.from(this.#prefix, 'latin1');
    }
    const number = this.#numberOf(handle);
    if (number >= 0) this.#numbers.add(number);
    else this.#others.add(handle);
  }

  has(handle: string): boolean {
    const number = this.#numberOf(handle);
    return number >= 0 ? this.#numbers.has(number) : this.#others.has(handle);
  }

  /** Whether this server issued the handle, too, that was read last of another one: without a look at its characters. */
  hasLastOf(other: Issued, handle: string): boolean {
    if (other.#last < 0) return this.has(handle);
    if (other.#prefix === this.#prefix) return this.#numbers.has(other.#last);
    return this.#others.size > 0 && this.#others.has(handle);
  }

  #readWhole(packet: Packet): string {
    const handle = packet.latin1(0);
    // A NUL behind it is let pass; what goes on behind a NUL is no handle.
    if (handle === '' || packet.length > handle.length + 1) {
      throw gearmanError('GEARMAN_UNEXPECTED_PACKET', 'JOB_CREATED came without a job handle, or with more than that.');
    }
    this.add(handle);
    return handle;
  }

  /** The number of a handle that is the prefix and this number as one writes it; -1 for any other handle. */
  #numberOf(handle: string): number {
    if (this.#prefix === '' || !handle.startsWith(this.#prefix)) return -1;
    const digits = handle.slice(this.#prefix.length);
    const number = Number(digits);
    return Number.isInteger(number) && number <= LARGEST && String(number) === digits ? number : -1;
  }

  /** {@link #numberOf} for a packet that is such a handle and nothing more. */
  #numberIn({ source, start, end }: Packet): number {
    const prefix = this.#prefixBytes;
    const from = start + prefix.length;
    const digits = end - from;
    if (prefix.length === 0 || digits < 1 || digits > MOST_DIGITS || (digits > 1 && source[from] === ZERO)) return -1;
    for (let index = 0; index < prefix.length; index++) if (source[start + index] !== prefix[index]) return -1;
    let number = 0;
    for (let index = from; index < end; index++) {
      const digit = (source[index] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return -1;
      number = number * 10 + digit;
    }
    return number;
  }
}
