/** Function names on their way to the wire. */
import { nameOnWire } from '../transport/settings.js';
import type { Settings } from './options.js';

/** So many names are known at most; then all are checked anew. */
const MOST_KNOWN = 1000;

/** A name that is right. */
interface Known {
  readonly name: string;
  /** With the prefix. */
  readonly onWire: string;
}

/** Checks function names and gives them the prefix. A caller has few, so that each is checked once; mostly he comes with the last one again. */
export class FunctionNames {
  readonly #settings: Settings;
  readonly #known = new Map<unknown, Known>();
  #last: Known | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * The name as it goes on the wire.
   * @throws GearmanArgumentError
   */
  onWire(name: unknown): string {
    if (this.#last === undefined || name !== this.#last.name) this.#last = this.#known.get(name) ?? this.#learn(name);
    return this.#last.onWire;
  }

  #learn(name: unknown): Known {
    // A copy, for a piece of a long text would keep all of it.
    const onWire = Buffer.from(nameOnWire('The function name', name, this.#settings)).toString();
    const known = { name: onWire.slice(this.#settings.prefix.length), onWire };
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(known.name, known);
    return known;
  }
}
