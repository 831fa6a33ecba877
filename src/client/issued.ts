/** The job handles that one server issued. What would be a set of strings is a set of the numbers in which they end. */

/** A set begins with so many slots. */
const FEW = 64;

/** Longer numbers might not fit a slot. */
const MOST_DIGITS = 9;

const ZERO = 48;

/** A set of whole numbers from 0 to 999,999,999, without an object for each: a table whose free slots hold 0. */
class Numbers {
  #slots = new Uint32Array(FEW);
  #bits = 32 - Math.log2(FEW);
  #size = 0;

  /** Returns whether it was not there. */
  add(number: number): boolean {
    const slot = this.#find(number);
    if (this.#slots[slot] !== 0) return false;
    this.#slots[slot] = number + 1;
    this.#size++;
    if (this.#size * 2 > this.#slots.length) this.#grow();
    return true;
  }

  has(number: number): boolean {
    return this.#slots[this.#find(number)] !== 0;
  }

  /** The slot that holds the number, or the free one where it belongs. */
  #find(number: number): number {
    // By the golden ratio numbers that follow each other, and any others, lie far apart.
    let slot = Math.imul(number, 0x9e3779b1) >>> this.#bits;
    const last = this.#slots.length - 1;
    while (this.#slots[slot] !== 0 && this.#slots[slot] !== number + 1) slot = (slot + 1) & last;
    return slot;
  }

  #grow(): void {
    const full = this.#slots;
    this.#slots = new Uint32Array(full.length * 2);
    this.#bits--;
    for (const held of full) if (held > 0) this.#slots[this.#find(held - 1)] = held;
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
