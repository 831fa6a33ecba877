/** Where a job is found: by its number, and by what makes two submissions one job. */
import { nodeRuntime } from '../runtime.js';
import type { Job, JobFunction } from './job.js';

const PAGE_BITS = 10;
const PAGE_SIZE = 1 << PAGE_BITS;

interface Page {
  readonly slots: (Job | undefined)[];
  used: number;
}

/**
 * Jobs by number. Numbers only grow, so that pages of slots take a third of the memory of a `Map`, none is ever copied to a larger one,
 * and a page goes with its last job.
 */
export class JobTable {
  readonly #pages = new Map<number, Page>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(number: number): Job | undefined {
    return this.#pages.get(Math.floor(number / PAGE_SIZE))?.slots[number % PAGE_SIZE];
  }

  add(job: Job): void {
    const page = this.#page(Math.floor(job.number / PAGE_SIZE));
    page.slots[job.number % PAGE_SIZE] = job;
    page.used++;
    this.#size++;
  }

  delete(job: Job): void {
    const key = Math.floor(job.number / PAGE_SIZE);
    const page = this.#pages.get(key);
    if (page?.slots[job.number % PAGE_SIZE] !== job) return;
    page.slots[job.number % PAGE_SIZE] = undefined;
    page.used--;
    this.#size--;
    if (page.used === 0) this.#pages.delete(key);
  }

  /** All of them, by number. */
  *[Symbol.iterator](): Generator<Job> {
    for (const { slots } of this.#pages.values()) {
      for (const job of slots) if (job !== undefined) yield job;
    }
  }

  #page(key: number): Page {
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const page = { slots: new Array<Job | undefined>(PAGE_SIZE).fill(undefined), used: 0 };
    this.#pages.set(key, page);
    return page;
  }
}

const LEAST_SLOTS = 64;

/**
 * Jobs by a key that, of the jobs that are not cancelled, one has within a function. A `Map` of a million keys that come and go is
 * copied again and again, and with each key the collector has to look at it: here are only numbers, one after another from where a
 * key's hash points to.
 */
export class JobIndex {
  readonly #table: JobTable;
  readonly #keyOf: (job: Job) => string;
  /** Job numbers, which begin at 1; 0 where a slot is free. */
  #numbers = new Float64Array(LEAST_SLOTS);
  #hashes = new Int32Array(LEAST_SLOTS);
  #used = 0;

  /** @param table - where all the jobs are, as long as they are here */
  constructor(table: JobTable, keyOf: (job: Job) => string) {
    this.#table = table;
    this.#keyOf = keyOf;
  }

  /** The latest job with that key, of a function or of any. */
  find(key: string, fn?: JobFunction): Job | undefined {
    const hash = hashOf(key);
    let found: Job | undefined;
    for (let slot = this.#home(hash); this.#numbers[slot] !== 0; slot = this.#after(slot)) {
      if (this.#hashes[slot] !== hash) continue;
      const job = this.#table.get(this.#numbers[slot] ?? 0);
      if (job === undefined || (fn !== undefined && job.fn !== fn) || this.#keyOf(job) !== key) continue;
      if (found === undefined || job.number > found.number) found = job;
    }
    return found;
  }

  add(job: Job): void {
    this.#used++;
    if (this.#used * 2 > this.#numbers.length) this.#grow();
    this.#put(job.number, hashOf(this.#keyOf(job)));
  }

  /** Nothing happens if it is not there. */
  delete(job: Job): void {
    let slot = this.#home(hashOf(this.#keyOf(job)));
    while (this.#numbers[slot] !== job.number) {
      if (this.#numbers[slot] === 0) return;
      slot = this.#after(slot);
    }
    this.#used--;
    this.#close(slot);
  }

  /** Frees a slot, and moves up what would not be found beyond it. */
  #close(slot: number): void {
    const mask = this.#numbers.length - 1;
    let gap = slot;
    for (let next = this.#after(slot); this.#numbers[next] !== 0; next = this.#after(next)) {
      const hash = this.#hashes[next] ?? 0;
      // Where it belongs lies beyond the gap.
      if (((next - this.#home(hash)) & mask) < ((next - gap) & mask)) continue;
      this.#numbers[gap] = this.#numbers[next] ?? 0;
      this.#hashes[gap] = hash;
      gap = next;
    }
    this.#numbers[gap] = 0;
  }

  #put(number: number, hash: number): void {
    let slot = this.#home(hash);
    while (this.#numbers[slot] !== 0) slot = this.#after(slot);
    this.#numbers[slot] = number;
    this.#hashes[slot] = hash;
  }

  #grow(): void {
    const [numbers, hashes] = [this.#numbers, this.#hashes];
    this.#numbers = new Float64Array(numbers.length * 2);
    this.#hashes = new Int32Array(numbers.length * 2);
    for (const [slot, number] of numbers.entries()) if (number !== 0) this.#put(number, hashes[slot] ?? 0);
  }

  #home(hash: number): number {
    return hash & (this.#numbers.length - 1);
  }

  #after(slot: number): number {
    return (slot + 1) & (this.#numbers.length - 1);
  }
}

/** Another one in each process: keys that have one hash, and so slow each other down, cannot be made beforehand. */
const SEED = Math.floor(nodeRuntime.random() * 2 ** 32);

/** FNV-1a, with murmur's finalizer: neighbours in a key must not be neighbours in the slots. */
function hashOf(key: string): number {
  let hash = SEED;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
