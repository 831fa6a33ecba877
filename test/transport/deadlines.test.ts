/** One timer, and a time that stands still while the event loop does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeRuntime, type Runtime, type Timer } from '../../src/runtime.js';
import { Deadlines, Timed } from '../../src/transport/deadlines.js';

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
});
