/** A time that stands still while the event loop does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { setUp } from '../support/loop.js';

describe('deadlines', () => {
  it('do not count the time in which the event loop stood still', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 1000);
    loop.pass(500);
    loop.stall(10_000);
    loop.pass(399);
    assert.deepEqual(log, []);
    loop.pass(101);
    assert.deepEqual(log, ['a']);
  });

  it('that were due in that time are looked at only after the sockets were read', () => {
    const { loop, log, deadlines, alarm } = setUp();
    const answered = alarm('answered');
    deadlines.start(answered, 50);
    deadlines.start(alarm('not answered'), 50);
    loop.stall(5000);
    const [timer] = loop.timers;
    timer?.ring();
    assert.deepEqual(log, []);
    // This is when an answer that was there is read.
    deadlines.stop(answered);
    loop.poll();
    assert.deepEqual(log, ['not answered']);
  });

  it('are looked at only after the sockets were read, however punctual the timer is', () => {
    const { loop, log, deadlines, alarm } = setUp();
    const answered = alarm('answered');
    deadlines.start(answered, 30);
    // The answer came long ago, but the event loop stood still until just now.
    loop.stall(30);
    const [timer] = loop.timers.splice(0);
    timer?.ring();
    deadlines.stop(answered);
    loop.poll();
    assert.deepEqual(log, []);
  });

  it('are reached even if the event loop is always late', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 1000);
    for (let turn = 0; turn < 11; turn++) {
      loop.stall(1000);
      loop.pass(0);
    }
    assert.deepEqual(log, ['a']);
  });

  it('are looked at ten times a second at least, to notice when the event loop stands still', () => {
    const { loop, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 60_000);
    const [timer] = loop.timers;
    assert.equal(timer?.dueMs, loop.nowMs + 100);
  });

  it('whose time is a little late, as timers are, lose none of it', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 1000);
    // 24 ms late each time: no more than timers are on a busy machine.
    for (let turn = 0; turn < 50 && log.length === 0; turn++) {
      const [next] = loop.timers;
      loop.stall((next?.dueMs ?? 0) + 24 - loop.nowMs);
      loop.pass(0);
    }
    assert.deepEqual(log, ['a']);
    assert.ok(loop.nowMs <= 1000 + 1000 + 24, `due at ${loop.nowMs}`);
  });

  it('are met to the millisecond after the event loop stood still for long, however often', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 1000);
    let lostMs = 0;
    for (const stallMs of [200, 4000, 86_400_000]) {
      loop.pass(150);
      const lateFrom = loop.timers[0]?.dueMs ?? 0;
      loop.stall(stallMs);
      lostMs += loop.nowMs - lateFrom;
      loop.pass(0);
    }
    // As if those hours had not been.
    const dueMs = 1000 + 1000 + lostMs;
    loop.pass(dueMs - loop.nowMs - 1);
    assert.deepEqual(log, []);
    loop.pass(1);
    assert.deepEqual(log, ['a']);
  });

  it('of a call that is made right after the event loop stood still count from then', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('waits'), 60_000);
    loop.stall(5000);
    // The caller's own long computation is over, and only then does he make a call.
    deadlines.start(alarm('a'), 200);
    loop.pass(0);
    deadlines.start(alarm('b'), 200);
    loop.pass(200);
    assert.deepEqual(log, ['a', 'b']);
  });

  it('are met although one of the same duration before them was started when a sweep was late', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('waits'), 60_000);
    loop.stall(5000);
    deadlines.start(alarm('a'), 200);
    loop.pass(0);
    deadlines.start(alarm('b'), 200);
    loop.pass(250);
    assert.ok(log.includes('b'), `only ${log.join()} was due`);
  });

  it('may be started and stopped between a late sweep and the reading of the sockets', () => {
    const { loop, log, deadlines, alarm } = setUp();
    const [answered, asked] = [alarm('answered'), alarm('asked')];
    deadlines.start(answered, 50);
    loop.stall(1000);
    const [timer] = loop.timers.splice(0);
    timer?.ring();
    deadlines.stop(answered);
    deadlines.start(asked, 10);
    loop.poll();
    assert.deepEqual(log, []);
    loop.pass(10);
    assert.deepEqual(log, ['asked']);
  });

  it('do not count a time in which the event loop stood still while the sockets were read for a late sweep', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 150);
    loop.stall(130);
    const [timer] = loop.timers.splice(0);
    timer?.ring();
    // What runs when an answer is read takes long, and what came meanwhile is not read before the sweep.
    loop.stall(5000);
    loop.poll();
    assert.deepEqual(log, []);
    loop.pass(50);
    assert.deepEqual(log, ['a']);
  });

  describe('and callers compute while the sockets are read, between the timer and the sweep', () => {
    /** The timer rings late, an answer is read, and its caller computes for so long before he does what `then` says. */
    function compute(ms: number, then: (set: ReturnType<typeof setUp>) => void) {
      const set = setUp();
      const { loop, deadlines, alarm } = set;
      deadlines.start(alarm('waits'), 60_000);
      loop.stall(300);
      const [timer] = loop.timers.splice(0);
      timer?.ring();
      loop.stall(ms);
      then(set);
      loop.poll();
      return set;
    }

    for (const ms of [0, 24, 25, 100, 3000, 86_400_000]) {
      it(`start those of their calls then: computed for ${ms} ms`, () => {
        const { loop, log } = compute(ms, ({ deadlines, alarm }) => deadlines.start(alarm('a'), 50));
        loop.pass(49);
        assert.deepEqual(log, []);
        loop.pass(1);
        assert.deepEqual(log, ['a']);
      });

      it(`keep those of the same duration on time that are started later: computed for ${ms} ms`, () => {
        const { loop, log, deadlines, alarm } = compute(ms, (set) => set.deadlines.start(set.alarm('a'), 50));
        loop.pass(20);
        deadlines.start(alarm('b'), 50);
        loop.pass(30);
        assert.deepEqual(log, ['a']);
        loop.pass(19);
        deadlines.start(alarm('c'), 50);
        assert.deepEqual(log, ['a']);
        loop.pass(1);
        assert.deepEqual(log, ['a', 'b']);
        loop.pass(49);
        assert.deepEqual(log, ['a', 'b', 'c']);
      });
    }

    it('stop the time for those that ran before, too: they have what they had left', () => {
      const { loop, log } = compute(3000, ({ loop, deadlines, alarm }) => {
        // Another caller, another answer, another second.
        deadlines.start(alarm('first'), 200);
        loop.stall(1000);
        deadlines.start(alarm('second'), 200);
      });
      loop.pass(199);
      assert.deepEqual(log, []);
      loop.pass(1);
      assert.deepEqual(log, ['first', 'second']);
    });

    it('lose at most 25 ms each time of a deadline that has longer to go, and meet it', () => {
      const { loop, log, deadlines, alarm } = setUp();
      deadlines.start(alarm('a'), 1000);
      let computedMs = 0;
      for (let turn = 0; turn < 5; turn++) {
        loop.nowMs = loop.timers[0]?.dueMs ?? 0;
        const [timer] = loop.timers.splice(0);
        timer?.ring();
        loop.stall(2000);
        computedMs += 2000;
        loop.poll();
      }
      const earliest = 2000 + computedMs - 5 * 25;
      loop.pass(earliest - 1 - loop.nowMs);
      assert.deepEqual(log, []);
      loop.pass(5 * 25 + 1);
      assert.deepEqual(log, ['a']);
    });
  });

  it('have a time that never runs backwards while the sockets are read, nor faster than the clock', () => {
    const time = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 5000 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(time, fc.array(time, { maxLength: 5 })), { maxLength: 20 }), (turns) => {
        const { loop, deadlines, alarm } = setUp();
        deadlines.hold();
        let [before, clockBefore] = [deadlines.now(), loop.nowMs];
        const look = (): void => {
          const now = deadlines.now();
          assert.ok(now >= before, `it went back by ${before - now} ms`);
          assert.ok(now - before <= loop.nowMs - clockBefore, `${now - before} ms went by`);
          [before, clockBefore] = [now, loop.nowMs];
        };
        for (const [lateMs, computed] of turns) {
          const [timer] = loop.timers.splice(0);
          loop.nowMs = Math.max(loop.nowMs, timer?.dueMs ?? 0) + lateMs;
          timer?.ring();
          for (const ms of computed) {
            look();
            loop.stall(ms);
            deadlines.start(alarm('a'), 1 + ms);
          }
          look();
          loop.poll();
          look();
        }
      }),
    );
  });

  it('are met also when they are started while a timer is a little late, and then turns out to be later', () => {
    const { loop, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('waits'), 100);
    // Nobody can tell yet that the event loop stands still, and then it does.
    loop.stall(124);
    deadlines.start(alarm('a'), 200);
    loop.stall(1);
    deadlines.start(alarm('b'), 200);
    loop.pass(0);
    const told = log.length;
    loop.pass(200);
    assert.deepEqual(log.slice(told), ['a', 'b']);
  });

  it('have a time that never runs backwards, nor faster than the clock, whatever the event loop does', () => {
    const step = fc.record({
      what: fc.constantFrom('pass', 'stall', 'ring', 'poll', 'start', 'look'),
      ms: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 5000 })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { loop, deadlines, alarm } = setUp();
        deadlines.hold();
        let [before, clockBefore] = [deadlines.now(), loop.nowMs];
        for (const { what, ms } of steps) {
          if (what === 'pass' && loop.polls.length === 0) loop.pass(ms);
          else if (what === 'stall') loop.stall(ms);
          else if (what === 'start') deadlines.start(alarm('a'), 1 + ms);
          else if (what === 'poll') loop.poll();
          else if (what === 'ring' && (loop.timers[0]?.dueMs ?? Infinity) <= loop.nowMs) loop.timers.shift()?.ring();
          const now = deadlines.now();
          assert.ok(now >= before, `${what} took it back by ${before - now} ms`);
          assert.ok(now - before <= loop.nowMs - clockBefore, `${what}: ${now - before} ms went by`);
          [before, clockBefore] = [now, loop.nowMs];
        }
      }),
      {
        examples: [
          [
            [
              { what: 'start', ms: 0 },
              { what: 'stall', ms: 2 },
              { what: 'stall', ms: 24 },
            ],
          ],
        ],
      },
    );
  });

  it('never come before their time, whatever the event loop does', () => {
    const step = fc.record({
      what: fc.constantFrom('pass', 'stall', 'ring', 'poll', 'start', 'start'),
      ms: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2000 })),
      duration: fc.constantFrom(30, 200),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { loop, log, deadlines, alarm } = setUp();
        const started = new Map<string, number>();
        for (const { what, ms, duration } of steps) {
          const told = log.length;
          if (what === 'pass' && loop.polls.length === 0) loop.pass(ms);
          else if (what === 'stall') loop.stall(ms);
          else if (what === 'poll') loop.poll();
          else if (what === 'ring' && (loop.timers[0]?.dueMs ?? Infinity) <= loop.nowMs) loop.timers.shift()?.ring();
          else if (what === 'start') {
            const name = `${duration} no. ${started.size}`;
            started.set(name, loop.nowMs);
            deadlines.start(alarm(name), duration);
          }
          for (const name of log.slice(told)) {
            const waited = loop.nowMs - (started.get(name) ?? 0);
            assert.ok(waited >= Number.parseInt(name, 10), `${name} was due after ${waited} ms`);
          }
        }
      }),
    );
  });
});
