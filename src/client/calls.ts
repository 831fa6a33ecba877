/** The calls of a client that are not settled: each has a deadline and perhaps a signal, and keeps the process alive. */
import { gearmanError, type GearmanError } from '../errors.js';
import type { Deadlines, Timed } from '../transport/deadlines.js';
import { Signals, type Abortable } from '../transport/signals.js';

/** A call as this file knows it: `onDue` is its deadline. */
export type Call = Timed & Abortable;

/** See the head of this file. */
export class Calls {
  readonly #deadlines: Deadlines;
  readonly #signals = new Signals();
  #outstanding = 0;
  readonly #whenNone: (() => void)[] = [];

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** The call is made. One whose signal is aborted already is told so at once, and ends. */
  begin(call: Call, timeout: number, signal: AbortSignal | undefined): void {
    if (signal?.aborted === false) this.#signals.add(signal, call);
    this.#outstanding++;
    this.#deadlines.hold();
    this.#deadlines.start(call, timeout);
    if (signal?.aborted) call.onAbort(signal.reason);
  }

  /** The call is settled. */
  end(call: Call, signal: AbortSignal | undefined): void {
    if (signal !== undefined) this.#signals.delete(signal, call);
    this.#deadlines.stop(call);
    this.#deadlines.release();
    this.#outstanding--;
    if (this.#outstanding > 0) return;
    for (const resolve of this.#whenNone.splice(0)) resolve();
  }

  /** Resolves when no call is outstanding. */
  async none(): Promise<void> {
    if (this.#outstanding === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenNone.push(resolve);
    });
  }
}

/** The error of a call whose signal was aborted. */
export function aborted(reason: unknown, consequence: string, details = {}): GearmanError {
  return gearmanError('GEARMAN_ABORTED', `The call was aborted; ${consequence}.`, { ...details, cause: reason });
}
