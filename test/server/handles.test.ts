import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Handles } from '../../src/server/handles.js';

describe('Handles', () => {
  const handles = new Handles('host');

  it('are made of a name and a number, and read back', () => {
    for (const number of [1, 10, 123_456_789_012_345]) {
      assert.equal(handles.of(number), `H:host:${number}`);
      assert.equal(handles.numberOf(handles.of(number)), number);
    }
  });

  it('know none that they have not made', () => {
    for (const text of [
      '',
      'H:host:',
      'H:host:0',
      'H:host:01',
      'H:host:1 ',
      'H:host:-1',
      'H:other:1',
      `H:host:${'9'.repeat(30)}`,
    ]) {
      assert.equal(handles.numberOf(text), undefined, text);
    }
  });
});
