/** First in, first out; constant time however long it gets. */

/** Taken items in front of the array are cut off when there are this many, and more than half of it. */
const CUT = 1024;

/** A queue. */
export class Fifo<Item> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  /** Number of items. */
  get size(): number {
    return this.#items.length - this.#head;
  }

  /** The item that comes next. */
  get first(): Item | undefined {
    return this.#items[this.#head];
  }

  /** The item at that place; the first is at 0. */
  at(index: number): Item | undefined {
    return this.#items[this.#head + index];
  }

  /** Looks at each item. */
  *[Symbol.iterator](): Generator<Item> {
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item !== undefined) yield item;
    }
  }

  /** The item that came last. */
  get last(): Item | undefined {
    return this.size === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (this.size === 0) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length || (this.#head >= CUT && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Empties it. */
  takeAll(): Item[] {
    const items = [...this];
    this.#items = [];
    this.#head = 0;
    return items;
  }
}
