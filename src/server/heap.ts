/** What is due next: a binary heap whose entries can be taken out, in logarithmic time. */

/** An entry; also the receipt with which it is taken out. */
export interface HeapEntry<Item> {
  readonly key: number;
  readonly item: Item;
  /** Where it stands; -1 once it has left. */
  index: number;
}

/** The smallest key comes first. */
export class Heap<Item> {
  readonly #entries: HeapEntry<Item>[] = [];

  get size(): number {
    return this.#entries.length;
  }

  get first(): HeapEntry<Item> | undefined {
    return this.#entries[0];
  }

  push(key: number, item: Item): HeapEntry<Item> {
    const entry = { key, item, index: this.#entries.length };
    this.#entries.push(entry);
    this.#rise(entry);
    return entry;
  }

  /** Takes the first entry off. */
  shift(): Item | undefined {
    const { first } = this;
    if (first !== undefined) this.remove(first);
    return first?.item;
  }

  /** Takes an entry out; nothing happens if it has left. */
  remove(entry: HeapEntry<Item>): void {
    const { index } = entry;
    if (index < 0) return;
    entry.index = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#put(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #put(entry: HeapEntry<Item>, index: number): void {
    this.#entries[index] = entry;
    entry.index = index;
  }

  #rise(entry: HeapEntry<Item>): void {
    while (entry.index > 0) {
      const parent = this.#entries[(entry.index - 1) >> 1];
      if (parent === undefined || parent.key <= entry.key) return;
      const { index } = entry;
      this.#put(entry, parent.index);
      this.#put(parent, index);
    }
  }

  #sink(entry: HeapEntry<Item>): void {
    for (;;) {
      const left = this.#entries[2 * entry.index + 1];
      const right = this.#entries[2 * entry.index + 2];
      const child = left !== undefined && right !== undefined && right.key < left.key ? right : left;
      if (child === undefined || entry.key <= child.key) return;
      const { index } = entry;
      this.#put(entry, child.index);
      this.#put(child, index);
    }
  }
}
