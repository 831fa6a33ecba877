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
