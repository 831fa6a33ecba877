/** An event loop whose clock and timers the test moves, for what waits for a time; and things that wait. */
import { nodeRuntime, type Runtime, type Timer } from '../../src/runtime.js';
import { Deadlines, Timed } from '../../src/transport/deadlines.js';

/** Its clock is moved by the test, and its timers ring when the test says so. */
export class Loop implements Runtime {
  readonly connect = nodeRuntime.connect;
  readonly listen = nodeRuntime.listen;
  readonly fillRandom = nodeRuntime.fillRandom;
  nowMs = 1000;
  /** The timers that have not rung, and whether they keep the process alive. */
  timers: { dueMs: number; ring: () => void; isHeld: boolean }[] = [];
  polls: (() => void)[] = [];
  ticks: (() => void)[] = [];

  now(): number {
    return this.nowMs;
  }

  wallClock(): number {
    return this.nowMs;
  }

  random(): number {
    return 0;
  }

  endOfTick(callback: () => void): void {
    this.ticks.push(callback);
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
    this.endTick();
    const endMs = this.nowMs + ms;
    for (;;) {
      const [next] = this.timers.sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      this.timers = this.timers.filter((each) => each !== next);
      next.ring();
      this.endTick();
      this.poll();
    }
    this.nowMs = endMs;
  }

  /** Time passes and the event loop does not run. */
  stall(ms: number): void {
    this.endTick();
    this.nowMs += ms;
  }

  poll(): void {
    for (const callback of this.polls.splice(0)) callback();
    this.endTick();
  }

  endTick(): void {
    for (const callback of this.ticks.splice(0)) callback();
  }
}

/** Notes its name when it is due. */
export class Alarm extends Timed {
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

/** Deadlines on a loop, and a log of those that were told. */
export function setUp() {
  const loop = new Loop();
  const log: string[] = [];
  return { loop, log, deadlines: new Deadlines(loop), alarm: (name: string) => new Alarm(log, name) };
}
