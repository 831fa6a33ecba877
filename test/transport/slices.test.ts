/** Deadlines of which so many are due at once that telling them takes time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Timed } from '../../src/transport/deadlines.js';
import { Alarm, setUp, type Loop } from '../support/loop.js';

describe('deadlines of which very many are due at once, and telling them takes time', () => {
  /** An alarm whose caller takes a millisecond over it. */
  class Slow extends Alarm {
    readonly #loop: Loop;

    constructor(loop: Loop, log: string[], name: string) {
      super(log, name);
      this.#loop = loop;
    }

    override onDue(): void {
      super.onDue();
      this.#loop.nowMs++;
    }
  }

  function setUpSlow(count: number) {
    const { loop, log, deadlines, alarm } = setUp();
    const names = Array.from({ length: count }, (_, index) => `${index}`);
    const slow = (name: string): Slow => new Slow(loop, log, name);
    const alarms = names.map(slow);
    for (const each of alarms) deadlines.start(each, 50);
    /** The event loop goes round once: the timer rings, the sockets are read, the sweep. Returns what was told. */
    const slice = (whileReading: () => void = () => undefined): string[] => {
      loop.endTick();
      const [timer, ...others] = loop.timers.splice(0);
      assert.ok(timer !== undefined && others.length === 0, 'one timer runs');
      loop.nowMs = Math.max(loop.nowMs, timer.dueMs);
      const told = log.length;
      timer.ring();
      assert.equal(log.length, told, 'nothing is told before the sockets were read');
      whileReading();
      loop.poll();
      return log.slice(told);
    };
    return { loop, log, deadlines, alarm, slow, names, alarms, slice };
  }

  it('are told in slices of 10 ms, between which the sockets are read: all in order, none twice', () => {
    const { loop, log, names, slice } = setUpSlow(100);
    while (log.length < 100) {
      const told = slice();
      assert.ok(told.length >= 1 && told.length <= 11, `${told.length} ms without a look at the sockets`);
    }
    assert.deepEqual(log, names);
    assert.ok(loop.nowMs <= 1000 + 50 + 100 + 25, `a millisecond each, and little for the rest: ${loop.nowMs}`);
    assert.equal(loop.timers.length, 0);
    loop.pass(1000);
    assert.equal(log.length, 100);
  });

  it('are told in one go when it takes no time', () => {
    const { loop, log, deadlines, alarm } = setUp();
    for (let count = 0; count < 10_000; count++) deadlines.start(alarm('a'), 50);
    loop.stall(50);
    loop.pass(0);
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
    const { loop, log, deadlines, alarm, slice } = setUpSlow(200);
    deadlines.start(alarm('later'), 55);
    for (let turn = 0; turn < 60 && !log.includes('later'); turn++) slice();
    assert.equal(log.includes('later'), true);
    assert.ok(loop.nowMs <= 1000 + 50 + 200 + 60, `told at ${loop.nowMs}`);
  });

  it('do not keep others from their time though each is started again at once', () => {
    const { loop, log, deadlines, alarm, slice } = setUpSlow(0);
    class Again extends Timed {
      override onDue(): void {
        log.push('again');
        loop.nowMs++;
        deadlines.start(this, 50);
      }
    }
    // A hundred of 50 ms each: there is always one that is due.
    for (let count = 0; count < 100; count++) deadlines.start(new Again(), 50);
    deadlines.start(alarm('other'), 60);
    for (let turn = 0; turn < 40 && !log.includes('other'); turn++) slice();
    assert.equal(log.includes('other'), true, `not told after ${log.length} others, ${loop.nowMs - 1000 - 60} ms late`);
  });

  it('let all others have their turn in between, each a slice late at most', () => {
    const { loop, log, deadlines, slice } = setUpSlow(2000);
    const lateness = new Map<string, number>();
    class Punctual extends Timed {
      readonly #name: string;
      readonly #dueMs: number;

      constructor(name: string, dueMs: number) {
        super();
        this.#name = name;
        this.#dueMs = dueMs;
      }

      override onDue(): void {
        lateness.set(this.#name, loop.nowMs - this.#dueMs);
      }
    }
    // What a client waits for besides: other calls, the end of a pause, a connection, a sign of life.
    for (const [name, ms] of [
      ['call', 55],
      ['pause', 63],
      ['connect', 300],
      ['heartbeat', 1000],
    ] as const) {
      deadlines.start(new Punctual(name, loop.nowMs + ms), ms);
    }
    while (lateness.size < 4) slice();
    assert.ok(log.length < 2000, 'they did not wait for the end of the mass');
    for (const [name, ms] of lateness) assert.ok(ms <= 25, `the ${name} was told ${ms} ms late`);
    // One that is started while they are told, as a call is by who was told.
    const began = loop.nowMs;
    deadlines.start(new Punctual('late', began + 200), 200);
    while (!lateness.has('late')) slice();
    assert.ok(loop.nowMs - began <= 225, `the late one was told after ${loop.nowMs - began} of 200 ms`);
    assert.ok(log.length < 2000, `${log.length} were told by then`);
  });

  it('take turns where there are several such durations', () => {
    const { log, deadlines, slow, slice } = setUpSlow(100);
    for (let count = 0; count < 100; count++) deadlines.start(slow('b'), 51);
    for (let count = 0; count < 100; count++) deadlines.start(slow('c'), 52);
    const told = { a: 0, b: 0, c: 0 };
    while (log.length < 300) {
      for (const name of slice()) told[name === 'b' || name === 'c' ? name : 'a']++;
      if (log.length > 290) continue;
      assert.ok(Math.max(...Object.values(told)) - Math.min(...Object.values(told)) <= 24, JSON.stringify(told));
    }
    assert.deepEqual(told, { a: 100, b: 100, c: 100 });
  });
});
