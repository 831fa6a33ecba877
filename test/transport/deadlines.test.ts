/** One timer, and a time that stands still while the event loop does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { nodeRuntime, type Runtime, type Timer } from '../../src/runtime.js';
import { Deadlines, Timed } from '../../src/transport/deadlines.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A world whose clock the test moves, and whose timers ring when the test says so. */
class World implements Runtime {
  readonly connect = nodeRuntime.connect;
  readonly fillRandom = nodeRuntime.fillRandom;
  nowMs = 1000;
  /** The timers that have not rung, and whether they keep the process alive. */
  timers: { dueMs: number; ring: () => void; isHeld: boolean }[] = [];
  polls: (() => void)[] = [];

  now(): number {
    return this.nowMs;
  }

  wallClock(): number {
    return this.nowMs;
  }

  random(): number {
    return 0;
  }

  afterPoll(callback: () => void): void {
    this.polls.push(callback);
  }

  setTimer(ring: () => void, ms: number): Timer {
    const timer = { dueMs: this.nowMs + ms, ring, isHeld: true };
    this.timers.push(timer);
    return {
      hold: (isHeld) => {
        timer.isHeld = isHeld;
      },
      cancel: () => {
        this.timers = this.timers.filter((each) => each !== timer);
      },
    };
  }

  /** Time passes and the event loop runs: every timer rings when it is due. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const [next] = this.timers.sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      this.timers = this.timers.filter((each) => each !== next);
      next.ring();
      this.poll();
    }
    this.nowMs = endMs;
  }

  /** Time passes and the event loop does not run. */
  stall(ms: number): void {
    this.nowMs += ms;
  }

  poll(): void {
    for (const callback of this.polls.splice(0)) callback();
  }
}

class Alarm extends Timed {
  readonly #log: string[];
  readonly #name: string;

  constructor(log: string[], name: string) {
    super();
    this.#log = log;
    this.#name = name;
  }

  override onDue(): void {
    this.#log.push(this.#name);
  }
}

function setUp() {
  const world = new World();
  const log: string[] = [];
  return { world, log, deadlines: new Deadlines(world), alarm: (name: string) => new Alarm(log, name) };
}

describe('deadlines', () => {
  it('become due in their time, each once, with one timer for all', () => {
    const { world, log, deadlines, alarm } = setUp();
    for (const ms of [300, 5, 250, 300, 1]) deadlines.start(alarm(String(ms)), ms);
    assert.equal(world.timers.length, 1);
    world.pass(4);
    assert.deepEqual(log, ['1']);
    world.pass(245);
    assert.deepEqual(log, ['1', '5']);
    world.pass(100);
    assert.deepEqual(log, ['1', '5', '250', '300', '300']);
    assert.equal(world.timers.length, 0, 'no timer runs when nothing is waited for');
  });

  it('can be stopped, started again, and never be due', () => {
    const { world, log, deadlines, alarm } = setUp();
    const [stopped, again] = [alarm('stopped'), alarm('again')];
    deadlines.start(stopped, 10);
    deadlines.start(again, 10);
    deadlines.start(alarm('never'), Infinity);
    world.pass(9);
    deadlines.stop(stopped);
    deadlines.stop(stopped);
    deadlines.start(again, 10);
    world.pass(9);
    assert.deepEqual(log, []);
    world.pass(1);
    assert.deepEqual(log, ['again']);
  });

  it('may start and stop others when they are due', () => {
    const { world, log, deadlines, alarm } = setUp();
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
    world.pass(100);
    assert.deepEqual(log, ['chain', 'chain', 'chain']);
  });

  it('do not count the time in which the event loop stood still', () => {
    const { world, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 1000);
    world.pass(500);
    world.stall(10_000);
    world.pass(399);
    assert.deepEqual(log, []);
    world.pass(101);
    assert.deepEqual(log, ['a']);
  });

  it('that were due in that time are looked at only after the sockets were read', () => {
    const { world, log, deadlines, alarm } = setUp();
    const answered = alarm('answered');
    deadlines.start(answered, 50);
    deadlines.start(alarm('not answered'), 50);
    world.stall(5000);
    const [timer] = world.timers;
    timer?.ring();
    assert.deepEqual(log, []);
    // This is when an answer that was there is read.
    deadlines.stop(answered);
    world.poll();
    assert.deepEqual(log, ['not answered']);
  });

  it('are looked at only after the sockets were read, however punctual the timer is', () => {
    const { world, log, deadlines, alarm } = setUp();
    const answered = alarm('answered');
    deadlines.start(answered, 30);
    // The answer came long ago, but the event loop stood still until just now.
    world.stall(30);
    const [timer] = world.timers.splice(0);
    timer?.ring();
    deadlines.stop(answered);
    world.poll();
    assert.deepEqual(log, []);
  });

  it('may have as many durations as there are calls', () => {
    const { world, log, deadlines, alarm } = setUp();
    for (let count = 0; count < 150_000; count++) deadlines.start(alarm('a'), 50 + count);
    world.pass(50);
    assert.deepEqual(log, ['a']);
    world.pass(100);
    assert.equal(log.length, 101);
    assert.equal(world.timers.length, 1);
  });

  it('are reached even if the event loop is always late', () => {
    const { world, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 1000);
    for (let turn = 0; turn < 11; turn++) {
      world.stall(1000);
      world.pass(0);
    }
    assert.deepEqual(log, ['a']);
  });

  it('keep the process alive only while it is asked for', () => {
    const { world, deadlines, alarm } = setUp();
    const isHeld = (): boolean => world.timers.some((timer) => timer.isHeld);
    deadlines.start(alarm('a'), 10_000);
    assert.equal(isHeld(), false);
    deadlines.hold();
    deadlines.hold();
    deadlines.release();
    assert.equal(isHeld(), true);
    world.pass(500);
    assert.equal(isHeld(), true);
    deadlines.release();
    assert.equal(isHeld(), false);
  });

  it('keep it alive when there is none, too, for calls without a timeout', () => {
    const { world, deadlines } = setUp();
    deadlines.hold();
    world.pass(1000);
    assert.equal(world.timers.length, 1);
    deadlines.release();
    world.pass(1000);
    assert.equal(world.timers.length, 0);
  });

  it('that come too early for a timer of the system are due at the next whole millisecond, never before their time', () => {
    const { world, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 0.2);
    deadlines.start(alarm('b'), 10.5);
    world.pass(10);
    assert.deepEqual(log, ['a']);
    world.pass(1);
    assert.deepEqual(log, ['a', 'b']);
  });

  it('that are started again become due once, as late as the last start says', () => {
    const { world, log, deadlines, alarm } = setUp();
    const each = alarm('a');
    for (const ms of [10, 500, 20, 300, 300]) deadlines.start(each, ms);
    world.pass(299);
    assert.deepEqual(log, []);
    world.pass(1000);
    assert.deepEqual(log, ['a']);
  });

  it('started again for ever are stopped', () => {
    const { world, log, deadlines, alarm } = setUp();
    const each = alarm('a');
    deadlines.start(each, 10);
    deadlines.start(each, Infinity);
    world.pass(1000);
    assert.deepEqual(log, []);
    assert.equal(world.timers.length, 0);
  });

  it('are kept with one timer, however many there are and whenever they come', () => {
    const { world, log, deadlines, alarm } = setUp();
    let mostTimers = 0;
    for (let count = 0; count < 1000; count++) {
      deadlines.start(alarm('a'), 1 + ((count * 7919) % 5000));
      assert.equal(world.timers.length, 1);
      world.pass(1);
      mostTimers = Math.max(mostTimers, world.timers.length);
    }
    assert.equal(mostTimers, 1);
    world.pass(5000);
    assert.equal(log.length, 1000);
  });

  it('are looked at ten times a second at least, to notice when the event loop stands still', () => {
    const { world, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 60_000);
    const [timer] = world.timers;
    assert.equal(timer?.dueMs, world.nowMs + 100);
  });

  it('hold the process no longer than asked for, whichever timer runs', () => {
    const { world, deadlines, alarm } = setUp();
    const held = (): boolean[] => world.timers.map((timer) => timer.isHeld);
    deadlines.hold();
    deadlines.start(alarm('a'), 50);
    assert.deepEqual(held(), [true], 'a timer that replaces a held one is held');
    deadlines.start(alarm('b'), 20);
    assert.deepEqual(held(), [true]);
    deadlines.release();
    assert.deepEqual(held(), [false]);
    world.pass(20);
    assert.deepEqual(held(), [false], 'the next timer is not held either');
  });

  it('whose time is a little late, as timers are, lose none of it', () => {
    const { world, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 1000);
    // 24 ms late each time: no more than timers are on a busy machine.
    for (let turn = 0; turn < 50 && log.length === 0; turn++) {
      const [next] = world.timers;
      world.stall((next?.dueMs ?? 0) + 24 - world.nowMs);
      world.pass(0);
    }
    assert.deepEqual(log, ['a']);
    assert.ok(world.nowMs <= 1000 + 1000 + 24, `due at ${world.nowMs}`);
  });

  it('are met to the millisecond after the event loop stood still for long, however often', () => {
    const { world, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 1000);
    let lostMs = 0;
    for (const stallMs of [200, 4000, 86_400_000]) {
      world.pass(150);
      const lateFrom = world.timers[0]?.dueMs ?? 0;
      world.stall(stallMs);
      lostMs += world.nowMs - lateFrom;
      world.pass(0);
    }
    // As if those hours had not been.
    const dueMs = 1000 + 1000 + lostMs;
    world.pass(dueMs - world.nowMs - 1);
    assert.deepEqual(log, []);
    world.pass(1);
    assert.deepEqual(log, ['a']);
  });

  it('of a call that is made right after the event loop stood still count from then', () => {
    const { world, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('waits'), 60_000);
    world.stall(5000);
    // The caller's own long computation is over, and only then does he make a call.
    deadlines.start(alarm('a'), 200);
    world.pass(0);
    deadlines.start(alarm('b'), 200);
    world.pass(200);
    assert.deepEqual(log, ['a', 'b']);
  });

  it('are met although one of the same duration before them was started when a sweep was late', () => {
    const { world, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('waits'), 60_000);
    world.stall(5000);
    deadlines.start(alarm('a'), 200);
    world.pass(0);
    deadlines.start(alarm('b'), 200);
    world.pass(250);
    assert.ok(log.includes('b'), `only ${log.join()} was due`);
  });

  it('may be started and stopped between a late sweep and the reading of the sockets', () => {
    const { world, log, deadlines, alarm } = setUp();
    const [answered, asked] = [alarm('answered'), alarm('asked')];
    deadlines.start(answered, 50);
    world.stall(1000);
    const [timer] = world.timers.splice(0);
    timer?.ring();
    deadlines.stop(answered);
    deadlines.start(asked, 10);
    world.poll();
    assert.deepEqual(log, []);
    world.pass(10);
    assert.deepEqual(log, ['asked']);
  });

  it('do not count a time in which the event loop stood still while the sockets were read for a late sweep', () => {
    const { world, log, deadlines, alarm } = setUp();
    deadlines.start(alarm('a'), 150);
    world.stall(130);
    const [timer] = world.timers.splice(0);
    timer?.ring();
    // What runs when an answer is read takes long, and what came meanwhile is not read before the sweep.
    world.stall(5000);
    world.poll();
    assert.deepEqual(log, []);
    world.pass(50);
    assert.deepEqual(log, ['a']);
  });

  describe('of which very many are due at once, and telling them takes time', () => {
    /** An alarm whose caller takes a millisecond over it. */
    class Slow extends Alarm {
      readonly #world: World;

      constructor(world: World, log: string[], name: string) {
        super(log, name);
        this.#world = world;
      }

      override onDue(): void {
        super.onDue();
        this.#world.nowMs++;
      }
    }

    function setUpSlow(count: number) {
      const { world, log, deadlines, alarm } = setUp();
      const names = Array.from({ length: count }, (_, index) => `${index}`);
      const slow = (name: string): Slow => new Slow(world, log, name);
      const alarms = names.map(slow);
      for (const each of alarms) deadlines.start(each, 50);
      /** The event loop goes round once: the timer rings, the sockets are read, the sweep. Returns what was told. */
      const slice = (whileReading: () => void = () => undefined): string[] => {
        const [timer, ...others] = world.timers.splice(0);
        assert.ok(timer !== undefined && others.length === 0, 'one timer runs');
        world.nowMs = Math.max(world.nowMs, timer.dueMs);
        const told = log.length;
        timer.ring();
        assert.equal(log.length, told, 'nothing is told before the sockets were read');
        whileReading();
        world.poll();
        return log.slice(told);
      };
      return { world, log, deadlines, alarm, slow, names, alarms, slice };
    }

    it('are told in slices of 10 ms, between which the sockets are read: all in order, none twice', () => {
      const { world, log, names, slice } = setUpSlow(100);
      while (log.length < 100) {
        const told = slice();
        assert.ok(told.length >= 1 && told.length <= 11, `${told.length} ms without a look at the sockets`);
      }
      assert.deepEqual(log, names);
      assert.ok(world.nowMs <= 1000 + 50 + 100 + 25, `a millisecond each, and little for the rest: ${world.nowMs}`);
      assert.equal(world.timers.length, 0);
      world.pass(1000);
      assert.equal(log.length, 100);
    });

    it('are told in one go when it takes no time', () => {
      const { world, log, deadlines, alarm } = setUp();
      for (let count = 0; count < 10_000; count++) deadlines.start(alarm('a'), 50);
      world.stall(50);
      world.pass(0);
      assert.equal(log.length, 10_000);
    });

    it('are not told when they are stopped meanwhile: the answers of these were there', () => {
      const { log, deadlines, names, alarms, slice } = setUpSlow(60);
      const stopped = alarms.filter((_, index) => index >= 20 && index % 2 === 1);
      assert.equal(slice().length <= 11, true);
      slice(() => {
        for (const each of stopped) deadlines.stop(each);
      });
      while (log.length < 60 - stopped.length) assert.notEqual(slice().length, 0);
      assert.deepEqual(
        log,
        names.filter((_, index) => index < 20 || index % 2 === 0),
      );
    });

    it('may be started again, and are due later then', () => {
      const { log, deadlines, names, alarms, slice } = setUpSlow(30);
      slice();
      const [again] = alarms.slice(-1);
      assert.ok(again !== undefined, 'there is a last one');
      slice(() => {
        deadlines.start(again, 400);
      });
      while (log.length < 29) assert.notEqual(slice().length, 0);
      assert.deepEqual(log, names.slice(0, -1));
    });

    it('do not keep others from their time that are due only a little later', () => {
      const { world, log, deadlines, alarm, slice } = setUpSlow(200);
      deadlines.start(alarm('later'), 55);
      for (let turn = 0; turn < 60 && !log.includes('later'); turn++) slice();
      assert.equal(log.includes('later'), true);
      assert.ok(world.nowMs <= 1000 + 50 + 200 + 60, `told at ${world.nowMs}`);
    });

    it('do not keep others from their time though each is started again at once', () => {
      const { world, log, deadlines, alarm, slice } = setUpSlow(0);
      class Again extends Timed {
        override onDue(): void {
          log.push('again');
          world.nowMs++;
          deadlines.start(this, 50);
        }
      }
      // A hundred of 50 ms each: there is always one that is due.
      for (let count = 0; count < 100; count++) deadlines.start(new Again(), 50);
      deadlines.start(alarm('other'), 60);
      for (let turn = 0; turn < 40 && !log.includes('other'); turn++) slice();
      assert.equal(
        log.includes('other'),
        true,
        `not told after ${log.length} others, ${world.nowMs - 1000 - 60} ms late`,
      );
    });
  });

  it('that are over leave no list behind, whatever durations there were', async () => {
    const { world, deadlines, alarm } = setUp();
    const lists: WeakRef<Timed>[] = [];
    for (let ms = 1; ms <= 100; ms++) {
      const each = alarm('a');
      deadlines.start(each, ms * 1000);
      // Alone in its list, its neighbour is the list's end.
      if (each.before !== undefined) lists.push(new WeakRef(each.before));
      deadlines.stop(each);
    }
    assert.equal(lists.length, 100);
    world.pass(200);
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
        const { world, log, deadlines, alarm } = setUp();
        const alarms = Array.from({ length: 10 }, (_, index) => alarm(`${index}`));
        const due = new Map<string, number>();
        for (const each of steps) {
          log.length = 0;
          if (each.name === 'pass') {
            world.pass(each.ms);
            const expected = [...due].filter(([, ms]) => ms <= world.nowMs);
            for (const [name] of expected) due.delete(name);
            assert.deepEqual(log.toSorted(), expected.map(([name]) => name).toSorted());
          } else if (each.name === 'start') {
            deadlines.start(alarms[each.index] ?? alarm(''), each.ms);
            due.set(`${each.index}`, world.nowMs + each.ms);
          } else {
            deadlines.stop(alarms[each.index] ?? alarm(''));
            due.delete(`${each.index}`);
          }
        }
      }),
    );
  });
});
