import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Heap, type HeapEntry } from '../../src/server/heap.js';

describe('Heap', () => {
  it('gives entries by key, whatever was taken out in between', () => {
    const action = fc.oneof(
      fc.record({ push: fc.integer({ min: 0, max: 50 }) }),
      fc.record({ remove: fc.nat() }),
      fc.record({ shift: fc.constant(true) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const heap = new Heap<number>();
        const model: HeapEntry<number>[] = [];
        const take = (entry: HeapEntry<number>): void => {
          model.splice(model.indexOf(entry), 1);
        };
        for (const each of actions) {
          if ('push' in each) model.push(heap.push(each.push, each.push));
          else if ('remove' in each) {
            const entry = model[each.remove % Math.max(1, model.length)];
            if (entry !== undefined) {
              heap.remove(entry);
              heap.remove(entry);
              take(entry);
            }
          } else {
            const { first } = heap;
            assert.equal(heap.shift(), first?.item);
            if (first !== undefined) take(first);
          }
          assert.equal(heap.size, model.length);
          assert.equal(heap.first?.key, model.length === 0 ? undefined : Math.min(...model.map(({ key }) => key)));
        }
      }),
    );
  });
});
