/** Job handles: `H:<name>:<number>`. */

/** Turns numbers into handles and back. */
export class Handles {
  readonly #prefix: string;

  /** @param name - what stands between `H:` and the number; latin1 */
  constructor(name: string) {
    this.#prefix = `H:${name}:`;
  }

  of(number: number): string {
    return this.#prefix + String(number);
  }

  /** The number of a handle that {@link of} may have made. */
  numberOf(handle: string): number | undefined {
    if (!handle.startsWith(this.#prefix)) return undefined;
    const digits = handle.slice(this.#prefix.length);
    return /^[1-9][0-9]{0,14}$/.test(digits) ? Number(digits) : undefined;
  }
}
