/** Unique IDs: no two alike, and equal ones for equal workloads. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { validate, version } from 'uuid';
import { UniqueIds, uniqueFor } from '../../src/client/unique.js';
import { checkUnique } from '../../src/protocol/arguments.js';
import { nodeRuntime } from '../../src/runtime.js';

const root = new URL('../..', import.meta.url);

const MS = 1_700_000_000_000;

/** The time in a UUIDv1, in units of 100 ns since 1582. */
function ticksOf(uuid: string): bigint {
  const [low = '', middle = '', high = ''] = uuid.split('-');
  return BigInt(`0x${high.slice(1)}${middle}${low}`);
}

/** The time in a UUIDv1, in milliseconds since 1970. */
const timeOf = (uuid: string): number => Number(ticksOf(uuid) / 10_000n) - 12_219_292_800_000;

/** The clock sequence and the node: what tells the generators apart. */
const generatorOf = (uuid: string): string => uuid.slice(19);

/** IDs by a clock that the test sets, each made in a tick of its own. */
function withClock(wallClock: () => number): Pick<UniqueIds, 'next'> {
  const ends: (() => void)[] = [];
  const ids = new UniqueIds({ ...nodeRuntime, wallClock, endOfTick: (end) => ends.push(end) });
  return {
    next: () => {
      const id = ids.next();
      for (const end of ends.splice(0)) end();
      return id;
    },
  };
}

describe('generated unique IDs', () => {
  it('are UUIDs of version 1 with the time of the system', () => {
    const ids = new UniqueIds(nodeRuntime);
    const before = Date.now();
    const made = Array.from({ length: 100 }, () => ids.next());
    const after = Date.now();
    for (const id of made) {
      assert.ok(validate(id));
      assert.equal(version(id), 1);
      assert.match(id, /^[\da-f]{8}-[\da-f]{4}-1[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
      assert.ok(timeOf(id) >= before && timeOf(id) <= after, id);
    }
  });

  it('have the exact time of the clock, and count up within a millisecond', () => {
    const ids = withClock(() => MS);
    const [first = '', second = '', third = ''] = Array.from({ length: 3 }, () => ids.next());
    assert.equal(timeOf(first), MS);
    assert.deepEqual([ticksOf(second), ticksOf(third)], [ticksOf(first) + 1n, ticksOf(first) + 2n]);
  });

  it('have a random node, marked as one that is no network card', () => {
    for (let count = 0; count < 20; count++) {
      const node = generatorOf(new UniqueIds(nodeRuntime).next()).slice(5);
      assert.equal(Number(`0x${node.slice(0, 2)}`) & 1, 1, node);
    }
  });

  it('have one node and clock sequence for each generator, and another for the next', () => {
    const generators = Array.from({ length: 100 }, () => {
      const ids = withClock(() => MS);
      const own = generatorOf(ids.next());
      for (let count = 0; count < 10; count++) assert.equal(generatorOf(ids.next()), own);
      return own;
    });
    assert.equal(new Set(generators).size, 100);
  });

  it('take all of their randomness and time from the runtime, so that a run can be repeated', () => {
    const repeat = (seed: number): string[] => {
      const world = { ...nodeRuntime, wallClock: () => MS, fillRandom: (bytes: Uint8Array) => void bytes.fill(seed) };
      const ids = new UniqueIds(world);
      return Array.from({ length: 5 }, () => ids.next());
    };
    assert.deepEqual(repeat(7), repeat(7));
    assert.notDeepEqual(repeat(7), repeat(8));
  });

  it('are a million different ones in one process', () => {
    const ids = new UniqueIds(nodeRuntime);
    const made = new Set<string>();
    for (let count = 0; count < 1_000_000; count++) made.add(ids.next());
    assert.equal(made.size, 1_000_000);
  });

  it('are different in four processes with 250,000 each', async () => {
    const args = ['--import', 'tsx', 'test/support/unique-ids.ts', '250000'];
    const options = { cwd: root, encoding: 'latin1', maxBuffer: 1e9 } as const;
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, args, options)),
    );
    const made = new Set<string>();
    for (const { stdout } of outputs) {
      assert.equal(stdout.length, 250_000 * 16);
      for (let offset = 0; offset < stdout.length; offset += 16) made.add(stdout.slice(offset, offset + 16));
    }
    assert.equal(made.size, 1_000_000);
  });

  it('differ when the clock stands still, or goes back at every one of them', () => {
    for (const step of [0, -1]) {
      let now = MS;
      const ids = withClock(() => (now += step));
      assert.equal(new Set(Array.from({ length: 30_000 }, () => ids.next())).size, 30_000);
    }
  });

  it('move on to the next millisecond after 10,000 in one, and are exact again when the clock has come after', () => {
    let now = MS;
    const ids = withClock(() => now);
    for (let count = 0; count < 10_000; count++) assert.equal(timeOf(ids.next()), MS);
    assert.equal(timeOf(ids.next()), MS + 1);
    now = MS + 2;
    assert.equal(timeOf(ids.next()), MS + 2);
  });

  it('go on from the latest time when the clock was set back by a year', () => {
    let now = MS;
    const ids = withClock(() => now);
    const latest = ids.next();
    now -= 365 * 24 * 3600 * 1000;
    assert.equal(ticksOf(ids.next()), ticksOf(latest) + 1n);
    now = MS + 1;
    assert.equal(timeOf(ids.next()), MS + 1);
  });

  it('share one look at the clock with all that are made in the same tick', async () => {
    let now = MS;
    const ids = new UniqueIds({ ...nodeRuntime, wallClock: () => now++ });
    assert.deepEqual([timeOf(ids.next()), timeOf(ids.next()), timeOf(ids.next())], [MS, MS, MS]);
    await Promise.resolve();
    assert.equal(timeOf(ids.next()), MS + 1);
  });

  it('have a time that only goes forward, whatever the clock does', () => {
    const steps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: -5, max: 5 }), fc.integer()), { maxLength: 50 });
    fc.assert(
      fc.property(steps, (moves) => {
        let now = MS;
        const ids = withClock(() => now);
        let latest = ticksOf(ids.next());
        for (const move of moves) {
          now = Math.max(0, now + move);
          const next = ticksOf(ids.next());
          assert.ok(next > latest);
          latest = next;
        }
      }),
    );
  });
});

describe('uniqueFor', () => {
  it('is the SHA-256 of the workload in base64url, 43 bytes', () => {
    assert.equal(uniqueFor(''), '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU');
    assert.equal(uniqueFor('this is a test'), 'Lpl1hUiXKo6IIq1H-hAX_3Lwbz_2oBaFH0XDmHMrxQw');
    for (const workload of ['', 'größe', Buffer.alloc(1_000_000)]) assert.match(uniqueFor(workload), /^[\w-]{43}$/);
  });

  it('is the same for a string and its UTF-8, and for any view of the same bytes', () => {
    const bytes = Buffer.from('größe');
    const view = new Uint8Array(new ArrayBuffer(20), 3, bytes.length);
    view.set(bytes);
    assert.equal(uniqueFor('größe'), uniqueFor(bytes));
    assert.equal(uniqueFor(view), uniqueFor(bytes));
  });

  it('tells workloads apart that begin alike', () => {
    assert.equal(new Set(['', '\0', 'a', 'a\0', 'A', 'a '].map(uniqueFor)).size, 6);
  });

  it('may be a unique ID', () => {
    assert.equal(checkUnique(uniqueFor('w')), uniqueFor('w'));
  });

  it('takes what a workload may be, and nothing else', () => {
    for (const workload of [{}, undefined, null, 7, []]) {
      assert.throws(() => uniqueFor(workload as never), {
        code: 'GEARMAN_INVALID_ARGUMENT',
        message: /workload must be a string or a Uint8Array.*Serialize it first/,
      });
    }
  });
});
