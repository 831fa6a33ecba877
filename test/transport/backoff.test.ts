/** How long a server is left alone after a failure. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pauseAfter } from '../../src/transport/backoff.js';

const DEFAULTS = { min: 100, max: 10_000 };

describe('the pause after a failure', () => {
  const table: readonly [failure: number, shortest: number, longest: number][] = [
    [1, 50, 100],
    [2, 100, 200],
    [3, 200, 400],
    [4, 400, 800],
    [5, 800, 1600],
    [6, 1600, 3200],
    [7, 3200, 6400],
    [8, 5000, 10_000],
    [9, 5000, 10_000],
    [10_000, 5000, 10_000],
  ];
  for (const [failure, shortest, longest] of table) {
    it(`is ${shortest} to ${longest} ms after failure ${failure} in a row, by default`, () => {
      assert.equal(pauseAfter(failure, DEFAULTS, 0), shortest);
      assert.equal(pauseAfter(failure, DEFAULTS, 0.5), (shortest + longest) / 2);
      assert.equal(pauseAfter(failure, DEFAULTS, 1), longest);
    });
  }

  it('is at most max, even where min is max', () => {
    for (const failures of [1, 2, 50]) assert.equal(pauseAfter(failures, { min: 70, max: 70 }, 1), 70);
  });

  it('never leaves half its bound to its bound, whatever the options', () => {
    const times = fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 0, max: 1_000_000 }));
    fc.assert(
      fc.property(
        times,
        fc.integer({ min: 1, max: 5000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (t, n, random) => {
          const [min, more] = t;
          const bound = Math.min(min + more, min * 2 ** (n - 1));
          const pause = pauseAfter(n, { min, max: min + more }, random);
          assert.ok(pause >= bound / 2 && pause <= bound, `${pause} of ${bound}`);
        },
      ),
    );
  });
});
