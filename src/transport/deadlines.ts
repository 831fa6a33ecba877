/** One timer for everything a client waits for: calls, heartbeats, connects, pauses. */
import type { Runtime, Timer } from '../runtime.js';

/** How often the timer runs while anything is waited for, in milliseconds. It measures how long the event loop stood still. */
const SWEEP_MS = 100;
/** From this lateness on, in milliseconds, the event loop stood still and what waited could not be answered. */
const LATE_MS = 25;
/** A sweep that tells so many that it takes longer, in milliseconds, stops for the sockets to be read before it goes on. */
const SLICE_MS = 10;

/**
 * A time in which the program runs without a break. What is started in it is started at its end, when what was called is on its way:
 * its callers share one look at the clock, which would be a tenth of what a call costs.
 */
interface Tick {
  /** In the time of {@link Deadlines.now}; the begin as long as it has not ended. */
  endMs: number;
}

/** Something that becomes due unless it is stopped. A link in the list of what has the same duration, so that it costs no object. */
export abstract class Timed {
  /** When it was started. */
  tick: Tick | undefined = undefined;
  /** Neighbours in the list; none while it is not waited for. */
  before: Timed | undefined = undefined;
  after: Timed | undefined = undefined;

  /** Its time is over. It has been taken off the list and may be started again. */
  abstract onDue(): void;
}

/** Both ends of a list: `after` is the one that is due first, `before` the last. Being a ring, it has no special cases. */
class Ring extends Timed {
  constructor() {
    super();
    this.before = this.after = this;
  }

  get first(): Timed | undefined {
    return this.after === this ? undefined : this.after;
  }

  /** When the first one is due; never if there is none. */
  dueMs(duration: number): number {
    return this.after?.tick === undefined ? Infinity : this.after.tick.endMs + duration;
  }

  override onDue(): void {
    throw new Error('the end of a list is never due');
  }
}

/**
 * Keeps deadlines in a time that does not pass while the event loop stands still (a long computation, a stopped process): a sweep
 * that runs late moves all deadlines by its lateness, and looks at them only after the sockets were read. So nothing times out
 * whose answer was there.
 *
 * Everything with the same duration is due in the order in which it was started, so that each duration has a list, and starting,
 * stopping and finding what is due take constant time.
 */
export class Deadlines {
  readonly #runtime: Runtime;
  readonly #rings = new Map<number, Ring>();
  /** The one that has begun and not ended, if anything was started in it. */
  #tick: Tick | undefined;
  #timer: Timer | undefined;
  #wakeMs = Infinity;
  /** What {@link now} was last. */
  #toldMs = -Infinity;
  /** The time in which the event loop stood still, so far. */
  #lostMs = 0;
  /** The timer has rung, and the sockets are read before the sweep. */
  #isReading = false;
  #holds = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Milliseconds, without those that were lost: they are counted by whoever looks first. */
  now(): number {
    const now = this.#runtime.now() - this.#lostMs;
    if (now - this.#wakeMs < LATE_MS) return (this.#toldMs = now);
    // Of reading the sockets a little is no loss; and what was told before stays true, for time does not run backwards.
    const stoppedMs = Math.max(this.#toldMs, this.#isReading ? this.#wakeMs + LATE_MS : this.#wakeMs);
    this.#lostMs += now - stoppedMs;
    return (this.#toldMs = stoppedMs);
  }

  /** (Re)starts it: due in `ms`, never if that is `Infinity`. */
  start(timed: Timed, ms: number): void {
    this.stop(timed);
    if (ms === Infinity) return;
    const duration = Math.ceil(ms);
    let ring = this.#rings.get(duration);
    if (ring === undefined) this.#rings.set(duration, (ring = new Ring()));
    timed.tick = this.#tick ?? this.#beginTick();
    timed.before = ring.before;
    timed.after = ring;
    if (ring.before !== undefined) ring.before.after = timed;
    ring.before = timed;
    // A timer that runs is never further away than a sweep.
    if (this.#timer === undefined || duration < SWEEP_MS) this.#wakeBy(this.now() + duration);
  }

  /** It is not waited for any more. */
  stop(timed: Timed): void {
    if (timed.before === undefined || timed.after === undefined) return;
    timed.before.after = timed.after;
    timed.after.before = timed.before;
    timed.before = timed.after = timed.tick = undefined;
  }

  /** From now on the process is kept alive, until {@link release} was called as often. */
  hold(): void {
    if (this.#holds++ > 0) return;
    this.#wakeBy(Infinity);
    this.#timer?.hold(true);
  }

  /** Takes one {@link hold} back. */
  release(): void {
    if (--this.#holds === 0) this.#timer?.hold(false);
  }

  #beginTick(): Tick {
    const tick = { endMs: this.now() };
    this.#runtime.endOfTick(() => {
      this.#tick = undefined;
      tick.endMs = this.now();
    });
    return (this.#tick = tick);
  }

  /** Sees to it that the next sweep comes at `dueMs` or before, and within {@link SWEEP_MS}. */
  #wakeBy(dueMs: number): void {
    if (this.#timer !== undefined && this.#wakeMs <= dueMs) return;
    const now = this.now();
    const wakeMs = Math.max(now, Math.min(dueMs, now + SWEEP_MS));
    this.#timer?.cancel();
    this.#wakeMs = wakeMs;
    // Timers may run a fraction of a millisecond early; a sweep must not find that nothing is due yet.
    this.#timer = this.#runtime.setTimer(
      () => {
        this.#onTimer();
      },
      Math.max(1, Math.ceil(wakeMs - now)),
    );
    this.#timer.hold(this.#holds > 0);
  }

  /** What is due now is looked at when the sockets were read; what callers compute meanwhile is lost time, too. */
  #onTimer(): void {
    this.#wakeMs = this.now();
    this.#isReading = true;
    this.#runtime.afterPoll(() => {
      this.#sweep();
    });
  }

  #sweep(): void {
    const now = this.now();
    this.#timer = undefined;
    this.#wakeMs = Infinity;
    this.#isReading = false;
    this.#tellDue(now);
    let next = Infinity;
    for (const [duration, ring] of this.#rings) next = Math.min(next, ring.dueMs(duration));
    if (next !== Infinity || this.#holds > 0) this.#wakeBy(next);
  }

  #tellDue(now: number): void {
    for (const [duration, ring] of this.#rings) {
      if (ring.first === undefined) this.#rings.delete(duration);
      for (let timed = ring.first; timed !== undefined && ring.dueMs(duration) <= now; timed = ring.first) {
        this.stop(timed);
        timed.onDue();
        if (this.now() - now <= SLICE_MS) continue;
        // The others have their turn before this one goes on.
        this.#rings.delete(duration);
        this.#rings.set(duration, ring);
        return;
      }
    }
  }
}
