/** What waits for a time: one timer for all of it, and each is due once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { Timed } from '../../src/transport/deadlines.js';
import { setUp } from '../support/loop.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describe('deadlines', () => {
  it('become due in their time, each once, with one timer for all', () => {
    const { loop, log, deadlines, alarm } = setUp();
    for (const ms of [300, 5, 250, 300, 1]) deadlines.start(alarm(String(ms)), ms);
    assert.equal(loop.timers.length, 1);
    loop.pass(4);
    assert.deepEqual(log, ['1']);
    loop.pass(245);
    assert.deepEqual(log, ['1', '5']);
    loop.pass(100);
    assert.deepEqual(log, ['1', '5', '250', '300', '300']);
    assert.equal(loop.timers.length, 0, 'no timer runs when nothing is waited for');
  });

  it('can be stopped, started again, and never be due', () => {
    const { loop, log, deadlines, alarm } = setUp();
    const [stopped, again] = [alarm('stopped'), alarm('again')];
    deadlines.start(stopped, 10);
    deadlines.start(again, 10);
    deadlines.start(alarm('never'), Infinity);
    loop.pass(9);
    deadlines.stop(stopped);
    deadlines.stop(stopped);
    deadlines.start(again, 10);
    loop.pass(9);
    assert.deepEqual(log, []);
    loop.pass(1);
    assert.deepEqual(log, ['again']);
  });

  it('may start and stop others when they are due', () => {
    const { loop, log, deadlines, alarm } = setUp();
    const victim = alarm('victim');
    class Chain extends Timed {
      override onDue(): void {
        log.push('chain');
        deadlines.stop(victim);
        if (log.length < 3) deadlines.start(this, 10);
      }
    }
    deadlines.start(new Chain(), 10);
    deadlines.start(victim, 10);
    loop.pass(100);
    assert.deepEqual(log, ['chain', 'chain', 'chain']);
  });

  it('may have as many durations as there are calls', () => {
    const { loop, log, deadlines, alarm } = setUp();
    for (let count = 0; count < 150_000; count++) deadlines.start(alarm('a'), 50 + count);
    loop.pass(50);
    assert.deepEqual(log, ['a']);
    loop.pass(100);
    assert.equal(log.length, 101);
    assert.equal(loop.timers.length, 1);
  });

  it('keep the process alive only while it is asked for', () => {
    const { loop, deadlines, alarm } = setUp();
    const isHeld = (): boolean => loop.timers.some((timer) => timer.isHeld);
    deadlines.start(alarm('a'), 10_000);
    assert.equal(isHeld(), false);
    deadlines.hold();
    deadlines.hold();
    deadlines.release();
    assert.equal(isHeld(), true);
    loop.pass(500);
    assert.equal(isHeld(), true);
    deadlines.release();
    assert.equal(isHeld(), false);
  });

  it('keep it alive when there is none, too, for calls without a timeout', () => {
    const { loop, deadlines } = setUp();
    deadlines.hold();
    loop.pass(1000);
    assert.equal(loop.timers.length, 1);
    deadlines.release();
    loop.pass(1000);
    assert.equal(loop.timers.length, 0);
  });

  it('that come too early for a timer of the system are due at the next whole millisecond, never before their time', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 0.2);
    deadlines.start(alarm('b'), 10.5);
    loop.pass(10);
    assert.deepEqual(log, ['a']);
    loop.pass(1);
    assert.deepEqual(log, ['a', 'b']);
  });

  it('that are started again become due once, as late as the last start says', () => {
    const { loop, log, deadlines, alarm } = setUp();
    const each = alarm('a');
    for (const ms of [10, 500, 20, 300, 300]) deadlines.start(each, ms);
    loop.pass(299);
    assert.deepEqual(log, []);
    loop.pass(1000);
    assert.deepEqual(log, ['a']);
  });

  it('started again for ever are stopped', () => {
    const { loop, log, deadlines, alarm } = setUp();
    const each = alarm('a');
    deadlines.start(each, 10);
    deadlines.start(each, Infinity);
    loop.pass(1000);
    assert.deepEqual(log, []);
    assert.equal(loop.timers.length, 0);
  });

  it('are kept with one timer, however many there are and whenever they come', () => {
    const { loop, log, deadlines, alarm } = setUp();
    let mostTimers = 0;
    for (let count = 0; count < 1000; count++) {
      deadlines.start(alarm('a'), 1 + ((count * 7919) % 5000));
      assert.equal(loop.timers.length, 1);
      loop.pass(1);
      mostTimers = Math.max(mostTimers, loop.timers.length);
    }
    assert.equal(mostTimers, 1);
    loop.pass(5000);
    assert.equal(log.length, 1000);
  });

  it('hold the process no longer than asked for, whichever timer runs', () => {
    const { loop, deadlines, alarm } = setUp();
    const held = (): boolean[] => loop.timers.map((timer) => timer.isHeld);
    deadlines.hold();
    deadlines.start(alarm('a'), 50);
    assert.deepEqual(held(), [true], 'a timer that replaces a held one is held');
    deadlines.start(alarm('b'), 20);
    assert.deepEqual(held(), [true]);
    deadlines.release();
    assert.deepEqual(held(), [false]);
    loop.pass(20);
    assert.deepEqual(held(), [false], 'the next timer is not held either');
  });

  it('that are over leave no list behind, whatever durations there were', async () => {
    const { loop, deadlines, alarm } = setUp();
    const lists: WeakRef<Timed>[] = [];
    for (let ms = 1; ms <= 100; ms++) {
      const each = alarm('a');
      deadlines.start(each, ms * 1000);
      // Alone in its list, its neighbour is the list's end.
      if (each.before !== undefined) lists.push(new WeakRef(each.before));
      deadlines.stop(each);
    }
    assert.equal(lists.length, 100);
    loop.pass(200);
    // What a WeakRef was made of lives until the turn ends.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    assert.deepEqual(
      lists.filter((list) => list.deref() !== undefined),
      [],
    );
  });

  it('become due in the order of their times, as a sorted list says', () => {
    const step = fc.oneof(
      fc.record({ name: fc.constant('start' as const), index: fc.nat(9), ms: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ name: fc.constant('stop' as const), index: fc.nat(9) }),
      fc.record({ name: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 150 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { loop, log, deadlines, alarm } = setUp();
        const alarms = Array.from({ length: 10 }, (_, index) => alarm(`${index}`));
        const due = new Map<string, number>();
        for (const each of steps) {
          log.length = 0;
          if (each.name === 'pass') {
            loop.pass(each.ms);
            const expected = [...due].filter(([, ms]) => ms <= loop.nowMs);
            for (const [name] of expected) due.delete(name);
            assert.deepEqual(log.toSorted(), expected.map(([name]) => name).toSorted());
          } else if (each.name === 'start') {
            deadlines.start(alarms[each.index] ?? alarm(''), each.ms);
            due.set(`${each.index}`, loop.nowMs + each.ms);
          } else {
            deadlines.stop(alarms[each.index] ?? alarm(''));
            due.delete(`${each.index}`);
          }
        }
      }),
    );
  });
});
