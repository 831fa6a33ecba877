/** One abort listener for each signal, however many calls share it. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { Signals, type Abortable } from '../../src/transport/signals.js';

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

/** A call that notes why it was aborted. */
function call(told: unknown[] = []): Abortable {
  return { onAbort: (reason) => told.push(reason) };
}

describe('signals', () => {
  it('have one listener each, however many calls they were given to', () => {
    const signals = new Signals();
    const [one, other] = [new AbortController(), new AbortController()];
    for (let count = 0; count < 100; count++) {
      signals.add(one.signal, call());
      signals.add(other.signal, call());
    }
    assert.deepEqual([listeners(one.signal), listeners(other.signal)], [1, 1]);
  });

  it('have none when the last of their calls is over', () => {
    const signals = new Signals();
    const { signal } = new AbortController();
    const calls = [call(), call(), call()];
    for (const each of calls) signals.add(signal, each);
    for (const each of calls) {
      assert.equal(listeners(signal), 1);
      signals.delete(signal, each);
    }
    assert.equal(listeners(signal), 0);
  });

  it('have none when they were aborted', () => {
    const signals = new Signals();
    const controller = new AbortController();
    signals.add(controller.signal, call());
    controller.abort();
    assert.equal(listeners(controller.signal), 0);
  });

  it('can be used again when they are out of use', () => {
    const signals = new Signals();
    const controller = new AbortController();
    const told: unknown[] = [];
    const [before, after] = [call(told), call(told)];
    signals.add(controller.signal, before);
    signals.delete(controller.signal, before);
    signals.add(controller.signal, after);
    controller.abort('late');
    assert.deepEqual(told, ['late']);
  });

  it('tell each of their calls once, in order, with the reason', () => {
    const signals = new Signals();
    const controller = new AbortController();
    const told: unknown[] = [];
    for (const name of ['a', 'b', 'c']) {
      signals.add(controller.signal, { onAbort: (reason) => told.push([name, reason]) });
    }
    controller.abort('enough');
    assert.deepEqual(
      told,
      ['a', 'b', 'c'].map((name) => [name, 'enough']),
    );
  });

  it('tell nothing to a call that is over, nor to one of another signal', () => {
    const signals = new Signals();
    const [one, other] = [new AbortController(), new AbortController()];
    const told: unknown[] = [];
    const [over, stays] = [call(told), call()];
    signals.add(one.signal, over);
    signals.add(one.signal, stays);
    signals.add(other.signal, call(told));
    signals.delete(one.signal, over);
    one.abort();
    assert.deepEqual(told, []);
  });

  it('let a call end itself when it is told, as calls do', () => {
    const signals = new Signals();
    const controller = new AbortController();
    const { signal } = controller;
    const ended: number[] = [];
    for (let index = 0; index < 3; index++) {
      const each: Abortable = {
        onAbort: () => {
          signals.delete(signal, each);
          ended.push(index);
        },
      };
      signals.add(signal, each);
    }
    controller.abort();
    assert.deepEqual(ended, [0, 1, 2]);
  });

  it('that cannot be let go of hurt nobody', () => {
    const signals = new Signals();
    const { signal } = new AbortController();
    signal.removeEventListener = () => {
      throw new Error('never');
    };
    const only = call();
    signals.add(signal, only);
    assert.doesNotThrow(() => {
      signals.delete(signal, only);
    });
  });

  it('let calls be deleted that were never added', () => {
    const signals = new Signals();
    const { signal } = new AbortController();
    signals.delete(signal, call());
    signals.add(signal, call());
    signals.delete(signal, call());
    assert.equal(listeners(signal), 1);
  });
});
