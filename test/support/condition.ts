/** Waits for something to become true, without a clock. */

/** Who changes the world calls {@link changed}; who waits is resolved once its test holds. */
export class Condition {
  #waiting: { test: () => boolean; resolve: () => void }[] = [];

  /** Resolves when the test holds; a test that throws rejects it at once. */
  async until(test: () => boolean): Promise<void> {
    if (test()) return;
    await new Promise<void>((resolve, reject) => {
      const guarded = (): boolean => {
        try {
          return test();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
          return true;
        }
      };
      this.#waiting.push({ test: guarded, resolve });
    });
  }

  /** Something changed that a test may look at. */
  changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      if (each.test()) each.resolve();
      else this.#waiting.push(each);
    }
  }
}
