/** The queues: first in, first out, in the order of the calls, whatever happens in between. Pauses and signals, too. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pauseAfter } from '../../src/transport/backoff.js';
import { Fifo } from '../../src/transport/fifo.js';
import { Request } from '../../src/transport/request.js';
import { Signals } from '../../src/transport/signals.js';
import { Waiting } from '../../src/transport/waiting.js';

class Call extends Request {
  override readonly server = undefined;
  override readonly job = undefined;
  override readonly isSticky: boolean;

  constructor(sequence: number, isSticky = false) {
    super();
    this.sequence = sequence;
    this.isSticky = isSticky;
  }

  override write(): void {}
  override isAnsweredBy(): boolean {
    return false;
  }
  override onReply(): void {}
  override onUnsent(): void {}
  override onLost(): void {}
  override onRefused(): void {}
  override onDue(): void {}
}

describe('a Fifo', () => {
  it('does as an array does', () => {
    const steps = fc.array(fc.oneof(fc.constant('shift'), fc.constant('all'), fc.integer({ min: 1, max: 3000 })), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(steps, (commands) => {
        const [fifo, model] = [new Fifo<number>(), [] as number[]];
        let next = 0;
        for (const command of commands) {
          if (command === 'shift') {
            for (let count = 0; count < 700; count++) assert.equal(fifo.shift(), model.shift());
          } else if (command === 'all') {
            assert.deepEqual(fifo.takeAll(), model.splice(0));
          } else {
            for (let count = 0; count < command; count++) {
              fifo.push(next);
              model.push(next++);
            }
          }
          assert.deepEqual([...fifo], model);
          assert.deepEqual(
            [fifo.size, fifo.first, fifo.second, fifo.last],
            [model.length, model[0], model[1], model.at(-1)],
          );
        }
      }),
    );
  });
});

describe('what waits', () => {
  it('leaves in the order of the calls, also when some of them waited elsewhere first', () => {
    const waiting = new Waiting();
    for (const sequence of [4, 5, 9, 1, 2, 7]) waiting.push(new Call(sequence));
    assert.deepEqual(
      Array.from({ length: 6 }, () => waiting.shift()?.sequence),
      [1, 2, 4, 5, 7, 9],
    );
    assert.equal(waiting.shift(), undefined);
  });

  it('passes over what is settled', () => {
    const waiting = new Waiting();
    const calls = [1, 2, 3, 4].map((sequence) => new Call(sequence));
    for (const call of calls) waiting.push(call);
    for (const call of calls.slice(0, 2)) call.settled = true;
    assert.equal(waiting.size, 2);
    assert.equal(waiting.first?.sequence, 3);
    for (const call of calls) call.settled = true;
    assert.equal(waiting.isEmpty, true);
    assert.deepEqual(waiting.take(), []);
  });

  it('can be taken in part, in order', () => {
    const waiting = new Waiting();
    for (const sequence of [3, 1, 2, 4]) waiting.push(new Call(sequence, sequence % 2 === 0));
    assert.deepEqual(
      waiting.take((call) => !call.isSticky).map(({ sequence }) => sequence),
      [1, 3],
    );
    assert.deepEqual(
      waiting.take().map(({ sequence }) => sequence),
      [2, 4],
    );
  });
});

describe('the pause after a failure', () => {
  it('is that of the table in the docstring', () => {
    const bounds = { min: 100, max: 10_000 };
    const longest = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
    for (const [index, most] of longest.entries()) {
      assert.equal(pauseAfter(index + 1, bounds, 0), most / 2);
      assert.equal(pauseAfter(index + 1, bounds, 1), most);
    }
    assert.equal(pauseAfter(10_000, bounds, 1), 10_000);
  });
});

describe('signals', () => {
  it('have one listener, however many calls they were given to, and none afterwards', () => {
    const signals = new Signals();
    const { signal } = new AbortController();
    const calls = Array.from({ length: 3 }, () => ({ onAbort: () => undefined }));
    for (const call of calls) signals.add(signal, call);
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    for (const call of calls) signals.delete(signal, call);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    for (const call of calls) signals.delete(signal, call);
  });

  it('tell every call that is not over, with the reason', () => {
    const signals = new Signals();
    const controller = new AbortController();
    const told: unknown[] = [];
    const calls = Array.from({ length: 2 }, () => ({ onAbort: (reason: unknown) => told.push(reason) }));
    for (const call of calls) signals.add(controller.signal, call);
    for (const call of calls.slice(0, 1)) signals.delete(controller.signal, call);
    controller.abort('enough');
    assert.deepEqual(told, ['enough']);
  });
});
