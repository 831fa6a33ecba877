/** How long a server is left alone after a failure. Pure. */

/** Bounds of the pause after a failure, in milliseconds. */
export interface Backoff {
  /** The pause after the first failure. */
  readonly min: number;
  /** The longest pause. */
  readonly max: number;
}

/**
 * The pause after the n-th failure in a row, in milliseconds: `min * 2^(n-1)`, at most `max`, of which the second half is random, so
 * that the clients of a server that comes back do not all come at once. With the defaults (100 ms, 10 s):
 *
 * | failure | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 and on |
 * | --- | --- | --- | --- | --- | --- | --- | --- | --- |
 * | ms | 50-100 | 100-200 | 200-400 | 400-800 | 800-1600 | 1600-3200 | 3200-6400 | 5000-10000 |
 *
 * @param random - in [0, 1)
 */
export function pauseAfter(failures: number, { min, max }: Backoff, random: number): number {
  const longest = Math.min(max, min * 2 ** (failures - 1));
  return longest * (0.5 + random / 2);
}
