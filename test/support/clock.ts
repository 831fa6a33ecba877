/** A client's outside world whose time the test moves; its sockets are real. */
import type { Duplex } from 'node:stream';
import { nodeRuntime, type Listener, type Place, type Runtime, type Target, type Timer } from '../../src/runtime.js';
import { Condition } from './condition.js';

interface Alarm {
  readonly dueMs: number;
  readonly ring: () => void;
}

/** Time stands still until the test moves it, so that no timeout can come too early on a slow machine. */
export class Clock implements Runtime {
  /** What was opened, in order. */
  readonly sockets: Duplex[] = [];
  readonly #alarms = new Set<Alarm>();
  readonly #received = new Condition();
  /** What runs at the end of the tick: in its turn, or when the test moves the time. */
  readonly #ticks: (() => void)[] = [];
  #receivedBytes = 0;
  #nowMs = 0;
  #isStalled = false;

  connect(target: Target, onUp: () => void): Duplex {
    const socket = nodeRuntime.connect(target, onUp);
    this.sockets.push(socket);
    socket.on('data', (chunk: Buffer) => {
      this.#receivedBytes += chunk.length;
      this.#received.changed();
    });
    return socket;
  }

  listen(place: Place, onSocket: (socket: Duplex, host: string) => void): Promise<Listener> {
    return nodeRuntime.listen(place, onSocket);
  }

  /** Resolves when the client has read so many bytes, on all its sockets together, and has done what they ask for. */
  async hasRead(bytes: number): Promise<void> {
    await this.#received.until(() => this.#receivedBytes >= bytes);
  }

  endOfTick(callback: () => void): void {
    this.#ticks.push(callback);
    queueMicrotask(() => {
      this.#endTick();
    });
  }

  afterPoll(callback: () => void): void {
    // After a stall the sockets are really read; otherwise what is to be read has been.
    if (this.#isStalled) nodeRuntime.afterPoll(callback);
    else callback();
  }

  fillRandom(bytes: Uint8Array): void {
    nodeRuntime.fillRandom(bytes);
  }

  now(): number {
    return this.#nowMs;
  }

  wallClock(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  /** The shortest pauses: half of what the table of backoff.ts names as the longest. */
  random(): number {
    return 0;
  }

  setTimer(callback: () => void, ms: number): Timer {
    const alarm = { dueMs: this.#nowMs + ms, ring: callback };
    this.#alarms.add(alarm);
    return { hold: () => undefined, cancel: () => this.#alarms.delete(alarm) };
  }

  /** Number of timers that run. */
  get alarms(): number {
    return this.#alarms.size;
  }

  /** Moves the time on; what becomes due on the way rings in its turn. No socket is read meanwhile. */
  advance(ms: number): void {
    this.#endTick();
    const endMs = this.#nowMs + ms;
    for (let next = this.#first(); next !== undefined && next.dueMs <= endMs; next = this.#first()) {
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#alarms.delete(next);
      next.ring();
      this.#endTick();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  /** Work takes so long: the time moves on, and nothing rings before that is done. */
  spend(ms: number): void {
    this.#nowMs += ms;
  }

  /** Moves the time on in small steps, sockets being read between them, until the promise is settled. */
  async advanceUntil(promise: Promise<unknown>, stepMs = 10): Promise<void> {
    const state = { pending: true };
    const settled = (): void => {
      state.pending = false;
    };
    promise.then(settled, settled);
    while (state.pending) {
      this.advance(stepMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The event loop stands still for so long, or the process is stopped: whatever is due rings late. */
  stall(ms: number): void {
    this.#endTick();
    this.#nowMs += ms;
    this.#isStalled = true;
    this.advance(0);
    this.#isStalled = false;
  }

  #endTick(): void {
    for (const callback of this.#ticks.splice(0)) callback();
  }

  #first(): Alarm | undefined {
    return [...this.#alarms].sort((a, b) => a.dueMs - b.dueMs)[0];
  }
}
