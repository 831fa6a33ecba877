/** The queue: first in, first out. An array that is never shortened in front is the model. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { Fifo } from '../../src/transport/fifo.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Model {
  readonly items: number[];
  next: number;
}

type Command = fc.Command<Model, Fifo<number>>;

/** What both say of themselves. */
function compare({ items }: Model, fifo: Fifo<number>): void {
  assert.equal(fifo.size, items.length);
  assert.equal(fifo.first, items[0]);
  assert.equal(fifo.at(1), items[1]);
  assert.equal(fifo.last, items.at(-1));
  assert.deepEqual([...fifo], items);
}

class Push implements Command {
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, fifo: Fifo<number>): void {
    for (let count = 0; count < this.#count; count++) {
      fifo.push(model.next);
      model.items.push(model.next++);
    }
    compare(model, fifo);
  }

  toString(): string {
    return `push ${this.#count}`;
  }
}

class Shift implements Command {
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, fifo: Fifo<number>): void {
    for (let count = 0; count < this.#count; count++) assert.equal(fifo.shift(), model.items.shift());
    compare(model, fifo);
  }

  toString(): string {
    return `shift ${this.#count}`;
  }
}

class TakeAll implements Command {
  check(): boolean {
    return true;
  }

  run(model: Model, fifo: Fifo<number>): void {
    assert.deepEqual(fifo.takeAll(), model.items.splice(0));
    compare(model, fifo);
  }

  toString(): string {
    return 'take all';
  }
}

describe('a Fifo', () => {
  it('does as an array does, with few items and with thousands', () => {
    const counts = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 500, max: 3000 }));
    const commands = fc.commands(
      [counts.map((count) => new Push(count)), counts.map((count) => new Shift(count)), fc.constant(new TakeAll())],
      { maxCommands: 40 },
    );
    fc.assert(
      fc.property(commands, (steps) => {
        fc.modelRun(() => ({ model: { items: [], next: 0 }, real: new Fifo<number>() }), steps);
      }),
    );
  });

  it('is empty at first, and gives nothing then', () => {
    const fifo = new Fifo<string>();
    compare({ items: [], next: 0 }, new Fifo<number>());
    assert.equal(fifo.shift(), undefined);
    fifo.push('a');
    assert.deepEqual([fifo.shift(), fifo.shift()], ['a', undefined]);
  });

  it('lets go of what was taken, also while there is more behind it', async () => {
    const fifo = new Fifo<object>();
    const taken: WeakRef<object>[] = [];
    for (let item = 0; item < 10; item++) fifo.push({ item });
    for (let count = 0; count < 9; count++) taken.push(new WeakRef(fifo.shift() ?? {}));
    // What a WeakRef was made of lives until the turn ends.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    assert.deepEqual(
      taken.filter((reference) => reference.deref() !== undefined),
      [],
    );
    assert.equal(fifo.size, 1);
  });
});
