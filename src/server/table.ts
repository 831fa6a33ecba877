/** Where a job is found: by its number, and by what makes two submissions one job. */
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

/** Jobs by a key that is one job's within a function. Jobs of several functions with one key are linked, the latest first. */
export class JobIndex {
  readonly #jobs = new Map<string, Job>();
  readonly #keyOf: (job: Job) => string;

  constructor(keyOf: (job: Job) => string) {
    this.#keyOf = keyOf;
  }

  /** The job of a function, or of the latest one that has the key. */
  find(key: string, fn?: JobFunction): Job | undefined {
    let job = this.#jobs.get(key);
    while (job !== undefined && fn !== undefined && job.fn !== fn) job = job.sameKey;
    return job;
  }

  add(job: Job): void {
    const key = this.#keyOf(job);
    job.sameKey = this.#jobs.get(key);
    this.#jobs.set(key, job);
  }

  /** Nothing happens if it is not there. */
  delete(job: Job): void {
    const key = this.#keyOf(job);
    const first = this.#jobs.get(key);
    if (first === job) this.#replaceFirst(key, job.sameKey);
    else unlink(first, job);
    job.sameKey = undefined;
  }

  #replaceFirst(key: string, next: Job | undefined): void {
    if (next === undefined) this.#jobs.delete(key);
    else this.#jobs.set(key, next);
  }
}

function unlink(first: Job | undefined, job: Job): void {
  let before = first;
  while (before !== undefined && before.sameKey !== job) before = before.sameKey;
  if (before !== undefined) before.sameKey = job.sameKey;
}
