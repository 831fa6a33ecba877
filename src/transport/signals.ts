/** One abort listener for each distinct signal, however many calls it was given to. */

/** A call that a signal can abort. */
export interface Abortable {
  /** The signal was aborted, with this reason. */
  onAbort(reason: unknown): void;
}

/** Who listens to which signal. */
export class Signals {
  readonly #listeners = new Map<AbortSignal, { calls: Set<Abortable>; listener: () => void }>();

  /** From now on the call is told when the signal is aborted, which it must not be yet. */
  add(signal: AbortSignal, call: Abortable): void {
    const known = this.#listeners.get(signal);
    if (known !== undefined) {
      known.calls.add(call);
      return;
    }
    const calls = new Set([call]);
    const listener = (): void => {
      this.#listeners.delete(signal);
      for (const each of calls) each.onAbort(signal.reason);
    };
    signal.addEventListener('abort', listener, { once: true });
    this.#listeners.set(signal, { calls, listener });
  }

  /** The call is over. */
  delete(signal: AbortSignal, call: Abortable): void {
    const known = this.#listeners.get(signal);
    known?.calls.delete(call);
    if (known?.calls.size !== 0) return;
    this.#listeners.delete(signal);
    try {
      signal.removeEventListener('abort', known.listener);
    } catch {
      // A signal of the caller's making that throws here is no reason to leave this call, or others, unsettled.
    }
  }
}
