/** The job handles that one server issued. What would be a set of strings is a set of the numbers in which they end. */

/** Longer numbers might not fit a slot. */
const MOST_DIGITS = 9;

const ZERO = 48;

/** A set of whole numbers from 0 to 999,999,999: numbers that follow each other, as a server issues them, share a word of 32 bits. */
class Numbers {
  readonly #words = new Map<number, number>();
  /** The word of the last number; in the map when another one takes its place. */
  #place = -1;
  #word = 0;

  /** Returns whether it was not there. */
  add(number: number): boolean {
    const place = number >>> 5;
    if (place !== this.#place) this.#turnTo(place);
    const word = this.#word;
    this.#word = word | (1 << number);
    return this.#word !== word;
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
  readonly #numbers = new Numbers();
  /** Handles that are not the prefix and a number. */
  readonly #others = new Set<string>();

  /** Returns whether it was not there. */
  add(handle: string): boolean {
    if (this.#prefix === '') this.#prefix = handle.slice(0, handle.lastIndexOf(':') + 1);
    const number = this.#numberOf(handle);
    if (number >= 0) return this.#numbers.add(number);
    const isNew = !this.#others.has(handle);
    if (isNew) this.#others.add(handle);
    return isNew;
  }

  has(handle: string): boolean {
    const number = this.#numberOf(handle);
    return number >= 0 ? this.#numbers.has(number) : this.#others.has(handle);
  }

  /** The number of a handle that is the prefix and this number as one writes it; -1 for any other handle. */
  #numberOf(handle: string): number {
    const from = this.#prefix.length;
    const digits = handle.length - from;
    if (from === 0 || digits < 1 || digits > MOST_DIGITS || !handle.startsWith(this.#prefix)) return -1;
    if (digits > 1 && handle.charCodeAt(from) === ZERO) return -1;
    let number = 0;
    for (let index = from; index < handle.length; index++) {
      const digit = handle.charCodeAt(index) - ZERO;
      if (digit < 0 || digit > 9) return -1;
      number = number * 10 + digit;
    }
    return number;
  }
}
