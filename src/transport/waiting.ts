/** Requests that wait to be written, in the order in which the calls were made, wherever they waited before. */
import { Fifo } from './fifo.js';
import type { Request } from './request.js';

/** A queue is tidied first when it has this many requests. */
const TIDY_AT = 1024;

/** A queue of requests that passes over those that are settled. */
export class Waiting {
  readonly #queue = new Fifo<Request>();
  /** At this length the settled ones are taken out: calls that give up must not pile up behind one that does not. */
  #tidyAt = TIDY_AT;
  /** A request came that was made before the last one. */
  #isUnsorted = false;

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.first === undefined;
  }

  /** Number of requests that wait; looks at each. */
  get size(): number {
    let size = 0;
    for (const request of this.#queue) if (!request.settled) size++;
    return size;
  }

  /** The request that comes next. */
  get first(): Request | undefined {
    if (this.#isUnsorted) this.#sort();
    while (this.#queue.first?.settled === true) this.#queue.shift();
    return this.#queue.first;
  }

  push(request: Request): void {
    const { last } = this.#queue;
    if (last !== undefined && last.sequence > request.sequence) this.#isUnsorted = true;
    this.#queue.push(request);
    if (this.#queue.size >= this.#tidyAt) this.#tidy();
  }

  shift(): Request | undefined {
    const { first } = this;
    if (first !== undefined) this.#queue.shift();
    return first;
  }

  /** Takes those that `test` holds for, all by default, in order; the others stay. */
  take(test: (request: Request) => boolean = () => true): Request[] {
    if (this.#isUnsorted) this.#sort();
    const taken: Request[] = [];
    for (const request of this.#queue.takeAll()) {
      if (request.settled) continue;
      if (test(request)) taken.push(request);
      else this.#queue.push(request);
    }
    return taken;
  }

  /** At twice the length at least each time, so that it costs each push a constant time. */
  #tidy(): void {
    for (const request of this.take()) this.#queue.push(request);
    this.#tidyAt = Math.max(TIDY_AT, 2 * this.#queue.size);
  }

  /** Two runs that are in order each are merged in linear time by the sort of the language. */
  #sort(): void {
    this.#isUnsorted = false;
    const sorted = this.#queue.takeAll().sort((a, b) => a.sequence - b.sequence);
    for (const request of sorted) this.#queue.push(request);
  }
}
