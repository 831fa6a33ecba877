/** Unique IDs: made for jobs that have none, and made from a workload. */
import { createHash } from 'node:crypto';
import { v1 } from 'uuid';
import { checkWorkload, type Workload } from '../protocol/arguments.js';
import type { Runtime } from '../runtime.js';

/** A UUIDv1 counts time in units of 100 ns. */
const TICKS_PER_MS = 10_000;

const ID_LENGTH = 36;
const TIME_LOW_DIGITS = 8;
const [FIRST_DIGIT, NINE, TEN, LAST_DIGIT] = [0x30, 0x39, 0x61, 0x66];

/**
 * A unique ID that stands for the workload: jobs of a function with the same workload coalesce, on every server and from every client
 * that uses it. SHA-256 in base64url, 43 bytes.
 * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT` when the workload is neither a string nor bytes
 */
export function uniqueFor(workload: Workload): string {
  return createHash('sha256').update(checkWorkload(workload)).digest('base64url');
}

/**
 * Makes UUIDv1s: a random node and clock sequence for each generator, and a time that moves strictly upwards, whatever the system's
 * clock does. `v1()` alone reads 16 random bytes from the system for each ID; and of a millisecond it makes the first ID only: the
 * others differ from it in the time's low 32 bits, which are the first eight digits.
 */
export class UniqueIds {
  readonly #runtime: Runtime;
  readonly #random = new Uint8Array(16);
  readonly #node: Uint8Array;
  readonly #clockseq: number;
  /** What the clock says in this tick; each look at it would be a thirtieth of what a call costs. */
  #nowMs: number | undefined;
  #ms = 0;
  #ticks = TICKS_PER_MS;
  /** The last ID. */
  readonly #id = Buffer.alloc(ID_LENGTH);

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    runtime.fillRandom(this.#random);
    const bytes = v1({ random: this.#random }, new Uint8Array(16));
    this.#node = bytes.slice(10);
    this.#clockseq = (((bytes[8] ?? 0) << 8) | (bytes[9] ?? 0)) & 0x3fff;
  }

  /** The next ID. */
  next(): string {
    const now = (this.#nowMs ??= this.#readClock());
    this.#ticks++;
    if (now > this.#ms || this.#ticks >= TICKS_PER_MS) this.#nextMs(now);
    else if (!this.#countUp()) this.#make();
    return this.#id.toString('latin1');
  }

  #readClock(): number {
    this.#runtime.endOfTick(() => {
      this.#nowMs = undefined;
    });
    return this.#runtime.wallClock();
  }

  #nextMs(now: number): void {
    this.#ms = Math.max(now, this.#ms + 1);
    this.#ticks = 0;
    this.#make();
  }

  #make(): void {
    // All four are given, and the random bytes: what is left out the library would make anew, or not count on.
    const { node, clockseq } = { node: this.#node, clockseq: this.#clockseq };
    this.#id.write(v1({ msecs: this.#ms, nsecs: this.#ticks, clockseq, node, random: this.#random }), 'latin1');
  }

  /** Adds 1 to the number that the first eight digits are; `false` if it was the largest. */
  #countUp(): boolean {
    const id = this.#id;
    let index = TIME_LOW_DIGITS - 1;
    for (; index >= 0 && id[index] === LAST_DIGIT; index--) id[index] = FIRST_DIGIT;
    const digit = id[index];
    if (digit === undefined) return false;
    id[index] = digit === NINE ? TEN : digit + 1;
    return true;
  }
}
