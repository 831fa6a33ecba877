/** An abort signal that is made when it is asked for: to make one takes as long as all else that is done for a small job. */
export class Abort {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  /** Aborted with {@link abort}, also if it is asked for afterwards. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the signal; the first reason stays. */
  abort(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(reason);
  }
}
