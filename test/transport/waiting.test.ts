/** What waits to be written leaves in the order of the calls, whatever happens in between. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Request } from '../../src/transport/request.js';
import { Waiting } from '../../src/transport/waiting.js';

class Call extends Request {
  override readonly server = undefined;
  override readonly job = undefined;
  override readonly isSticky: boolean;

  constructor(sequence: number, isSticky = false) {
    super();
    this.sequence = sequence;
    this.isSticky = isSticky;
  }

  override write(): void {}
  override isAnsweredBy(): boolean {
    return false;
  }
  override onReply(): void {}
  override onUnsent(): void {}
  override onLost(): void {}
  override onRefused(): void {}
  override onDue(): void {}
}

/** Counts how often anybody looks whether one of these calls is settled. */
function watched() {
  const looks = { count: 0 };
  const call = (sequence: number, isSettled = false): Call =>
    Object.defineProperty(new Call(sequence), 'settled', {
      get: () => {
        looks.count++;
        return isSettled;
      },
    });
  /** How many a queue holds, settled ones included: its size looks at each once. */
  const held = (waiting: Waiting): number => {
    const before = looks.count;
    assert.notEqual(waiting.size, undefined);
    return looks.count - before;
  };
  return { looks, call, held };
}

describe('what waits', () => {
  it('leaves in the order of the calls, also when some of them waited elsewhere first', () => {
    const waiting = new Waiting();
    for (const sequence of [4, 5, 9, 1, 2, 7]) waiting.push(new Call(sequence));
    assert.deepEqual(
      Array.from({ length: 6 }, () => waiting.shift()?.sequence),
      [1, 2, 4, 5, 7, 9],
    );
    assert.equal(waiting.shift(), undefined);
  });

  it('passes over what is settled', () => {
    const waiting = new Waiting();
    const calls = [1, 2, 3, 4].map((sequence) => new Call(sequence));
    for (const call of calls) waiting.push(call);
    for (const call of calls.slice(0, 2)) call.settled = true;
    assert.equal(waiting.size, 2);
    assert.equal(waiting.first?.sequence, 3);
    for (const call of calls) call.settled = true;
    assert.equal(waiting.isEmpty, true);
    assert.deepEqual(waiting.take(), []);
  });

  it('can be taken in part, in order', () => {
    const waiting = new Waiting();
    for (const sequence of [3, 1, 2, 4]) waiting.push(new Call(sequence, sequence % 2 === 0));
    assert.deepEqual(
      waiting.take((call) => !call.isSticky).map(({ sequence }) => sequence),
      [1, 3],
    );
    assert.deepEqual(
      waiting.take().map(({ sequence }) => sequence),
      [2, 4],
    );
  });

  it('knows how many wait, and the first of them, without taking it', () => {
    const waiting = new Waiting();
    assert.deepEqual([waiting.size, waiting.isEmpty, waiting.first], [0, true, undefined]);
    for (const sequence of [2, 1]) waiting.push(new Call(sequence));
    assert.deepEqual([waiting.size, waiting.isEmpty, waiting.first?.sequence], [2, false, 1]);
    assert.equal(waiting.size, 2);
  });

  it('keeps the order of what stays when others are taken, and of what comes then', () => {
    const waiting = new Waiting();
    for (const sequence of [6, 2, 4]) waiting.push(new Call(sequence, true));
    assert.deepEqual(
      waiting.take((call) => !call.isSticky),
      [],
    );
    for (const sequence of [5, 3]) waiting.push(new Call(sequence));
    assert.deepEqual(
      Array.from({ length: 5 }, () => waiting.shift()?.sequence),
      [2, 3, 4, 5, 6],
    );
  });

  for (const live of [1, 3000]) {
    it(`is little more than what is not settled, though ${live} live before 100,000 that are`, () => {
      const { looks, call, held } = watched();
      const waiting = new Waiting();
      for (let sequence = 1; sequence <= live; sequence++) waiting.push(call(sequence));
      const over = call(live + 1, true);
      let most = 0;
      for (let count = 1; count <= 100_000; count++) {
        waiting.push(over);
        if (count % 1000 !== 0) continue;
        most = Math.max(most, held(waiting));
        assert.ok(most <= 2 * live + 1024, `it holds ${most}`);
        assert.ok(looks.count <= 100 * most + 3 * 100_000, `${looks.count} looks: each was looked at a few times`);
      }
      assert.equal(waiting.size, live);
      assert.deepEqual(
        waiting.take().map(({ sequence }) => sequence),
        Array.from({ length: live }, (_, index) => index + 1),
      );
    });
  }

  it('costs each call a constant time, also when none is settled', () => {
    const { looks, call } = watched();
    const waiting = new Waiting();
    const waits = call(1);
    for (let count = 0; count < 100_000; count++) waiting.push(waits);
    assert.equal(waiting.first, waits);
    assert.ok(looks.count <= 3 * 100_000, `${looks.count} looks`);
  });

  for (const total of [1023, 1024, 1025, 20_000]) {
    it(`keeps its order when settled ones are dropped, whatever order ${total} came in`, () => {
      const waiting = new Waiting();
      const shuffled = Array.from({ length: total - 1 }, (_, index) => new Call(1 + ((index * 7919) % (total - 1))));
      const calls = [...shuffled, new Call(total)];
      for (const call of calls) {
        waiting.push(call);
        // Most give up, some of them behind those that do not.
        call.settled = call.sequence % 10 !== 0;
      }
      const left = calls.filter(({ settled }) => !settled).map(({ sequence }) => sequence);
      assert.equal(waiting.size, left.length);
      assert.deepEqual(
        Array.from({ length: left.length + 1 }, () => waiting.shift()?.sequence),
        [...left.sort((a, b) => a - b), undefined],
      );
    });
  }

  it('does as a sorted list does, whatever comes, is settled and is taken', () => {
    const step = fc.oneof(
      fc.record({ name: fc.constant('push' as const), sequence: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ name: fc.constant('shift' as const) }),
      fc.record({ name: fc.constant('take' as const) }),
      fc.record({ name: fc.constant('settle' as const), index: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const waiting = new Waiting();
        let model: Call[] = [];
        for (const each of steps) {
          if (each.name === 'push') {
            const call = new Call(each.sequence, each.sequence % 3 === 0);
            waiting.push(call);
            model.push(call);
            // Stable: calls of equal sequence stay in the order in which they came.
            model.sort((a, b) => a.sequence - b.sequence);
          } else if (each.name === 'shift') {
            assert.equal(waiting.shift(), model.shift());
          } else if (each.name === 'take') {
            assert.deepEqual(
              waiting.take((call) => call.isSticky),
              model.filter((call) => call.isSticky),
            );
            model = model.filter((call) => !call.isSticky);
          } else {
            const [call] = model.splice(each.index, 1);
            if (call !== undefined) call.settled = true;
          }
          assert.equal(waiting.size, model.length);
          assert.equal(waiting.first, model[0]);
          assert.equal(waiting.isEmpty, model.length === 0);
        }
        assert.deepEqual(waiting.take(), model);
      }),
    );
  });
});
