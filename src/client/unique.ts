/** Unique IDs: made for jobs that have none, and made from a workload. */
import { createHash } from 'node:crypto';
import { v1 } from 'uuid';
import { checkWorkload, type Workload } from '../protocol/arguments.js';
import type { Runtime } from '../runtime.js';

/** A UUIDv1 counts time in units of 100 ns. */
const TICKS_PER_MS = 10_000;

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
 * clock does. `v1()` alone reads 16 random bytes from the system for each ID, which takes ten times as long.
 */
export class UniqueIds {
  readonly #wallClock: () => number;
  readonly #random = new Uint8Array(16);
  readonly #node: Uint8Array;
  readonly #clockseq: number;
  #ms = 0;
  #ticks = 0;

  constructor(runtime: Runtime) {
    this.#wallClock = () => runtime.wallClock();
    runtime.fillRandom(this.#random);
    const bytes = v1({ random: this.#random }, new Uint8Array(16));
    this.#node = bytes.slice(10);
    this.#clockseq = (((bytes[8] ?? 0) << 8) | (bytes[9] ?? 0)) & 0x3fff;
  }

  /** The next ID. */
  next(): string {
    const now = this.#wallClock();
    if (now > this.#ms) {
      this.#ms = now;
      this.#ticks = 0;
    } else if (++this.#ticks === TICKS_PER_MS) {
      this.#ms++;
      this.#ticks = 0;
    }
    // All four are given, and the random bytes: what is left out the library would make anew, or not count on.
    const { node, clockseq } = { node: this.#node, clockseq: this.#clockseq };
    return v1({ msecs: this.#ms, nsecs: this.#ticks, clockseq, node, random: this.#random });
  }
}
