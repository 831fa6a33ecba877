/** Function names on their way to the wire. */
import { nameOnWire } from '../transport/settings.js';
import type { Settings } from './options.js';

/** So many names are known at most; then all are checked anew. */
const MOST_KNOWN = 1000;

/** Checks function names and gives them the prefix. A caller has few, so that each is checked once. */
export class FunctionNames {
  readonly #settings: Settings;
  /** By the name, as it goes on the wire. */
  readonly #known = new Map<unknown, string>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * The name as it goes on the wire.
   * @throws GearmanArgumentError
   */
  onWire(name: unknown): string {
    return this.#known.get(name) ?? this.#learn(name);
  }

  #learn(name: unknown): string {
    // A copy, for a piece of a long text would keep all of it.
    const onWire = Buffer.from(nameOnWire('The function name', name, this.#settings)).toString();
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(onWire.slice(this.#settings.prefix.length), onWire);
    return onWire;
  }
}
