/** A signal that is made when it is asked for behaves as one that was there from the beginning. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Abort } from '../../src/worker/abort.js';

describe('an abort', () => {
  it('reaches the signal that was asked for before', () => {
    const abort = new Abort();
    const { signal } = abort;
    const reasons: unknown[] = [];
    signal.addEventListener('abort', () => reasons.push(signal.reason));
    assert.equal(signal.aborted, false);
    const reason = new Error('lost');
    abort.abort(reason);
    assert.deepEqual([signal.aborted, reasons], [true, [reason]]);
  });

  it('is seen by who asks for the signal afterwards', () => {
    const abort = new Abort();
    const reason = new Error('lost');
    abort.abort(reason);
    assert.deepEqual([abort.signal.aborted, abort.signal.reason], [true, reason]);
  });

  it('has one signal and keeps the first reason, whenever it was asked for', () => {
    for (const isAskedFirst of [true, false]) {
      const abort = new Abort();
      const early = isAskedFirst ? abort.signal : undefined;
      const first = new Error('first');
      abort.abort(first);
      abort.abort(new Error('second'));
      assert.equal(abort.signal.reason, first);
      assert.equal(abort.signal, early ?? abort.signal);
    }
  });
});
