/** Function names on their way to the wire. */
import { nameOnWire } from '../transport/settings.js';
import type { Settings } from './options.js';

/** Checks function names and gives them the prefix. A caller has few, and mostly comes with the last one again: that is checked. */
export class FunctionNames {
  readonly #settings: Settings;
  /** The last one that was right. */
  #name: string | undefined;
  #onWire = '';

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * The name as it goes on the wire.
   * @throws GearmanArgumentError
   */
  onWire(name: unknown): string {
    if (name !== this.#name || name === undefined) {
      // A copy, for a piece of a long text would keep all of it.
      this.#onWire = Buffer.from(nameOnWire('The function name', name, this.#settings)).toString();
      this.#name = this.#onWire.slice(this.#settings.prefix.length);
    }
    return this.#onWire;
  }
}
