/** First in, first out; constant time however long it gets. */

/** The fewest places of a queue. */
const FEW = 16;
/** A queue with more places lets go of half of them when three quarters are free. */
const MANY = 4096;

/** A queue: a ring of places, as many as a power of two. */
export class Fifo<Item> {
  #places: (Item | undefined)[] = emptyPlaces(FEW);
  #head = 0;
  #size = 0;

  /** Number of items. */
  get size(): number {
    return this.#size;
  }

  /** The item that comes next. */
  get first(): Item | undefined {
    return this.#places[this.#head];
  }

  /** The item at that place; the first is at 0. */
  at(index: number): Item | undefined {
    return index < this.#size ? this.#places[this.#placeOf(index)] : undefined;
  }

  /** Looks at each item. */
  *[Symbol.iterator](): Generator<Item> {
    for (let index = 0; index < this.#size; index++) {
      const item = this.at(index);
      if (item !== undefined) yield item;
    }
  }

  /** The item that came last. */
  get last(): Item | undefined {
    return this.#places[this.#placeOf(this.#size - 1)];
  }

  push(item: Item): void {
    if (this.#size === this.#places.length) this.#move(this.#size * 2);
    this.#places[this.#placeOf(this.#size++)] = item;
  }

  shift(): Item | undefined {
    const item = this.#places[this.#head];
    if (this.#size === 0) return undefined;
    this.#places[this.#head] = undefined;
    this.#head = this.#placeOf(1);
    this.#size--;
    const { length } = this.#places;
    if (length > MANY && this.#size * 4 < length) this.#move(length / 2);
    return item;
  }

  /** Empties it. */
  takeAll(): Item[] {
    const items = [...this];
    this.#places = emptyPlaces(FEW);
    this.#head = this.#size = 0;
    return items;
  }

  #placeOf(index: number): number {
    return (this.#head + index) & (this.#places.length - 1);
  }

  /** So many places from now on. */
  #move(count: number): void {
    const places = emptyPlaces<Item>(count);
    for (let index = 0; index < this.#size; index++) places[index] = this.at(index);
    this.#places = places;
    this.#head = 0;
  }
}

function emptyPlaces<Item>(count: number): (Item | undefined)[] {
  return new Array<Item | undefined>(count).fill(undefined);
}
