/** Function names on their way to the wire: each is checked, and none changes another. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FunctionNames } from '../../src/client/names.js';
import { readClientOptions } from '../../src/client/options.js';

describe('function names', () => {
  for (const prefix of ['', 'p:', 'ü:']) {
    it(`have the prefix '${prefix}', however many there are and in whichever order they come`, () => {
      const names = new FunctionNames(readClientOptions({ prefix }));
      for (let round = 0; round < 3; round++) {
        for (let count = 0; count < 1500; count++) {
          for (const name of [`f${count}`, 'often', `f${count}`, 'größe']) {
            assert.equal(names.onWire(name), prefix + name);
          }
        }
      }
    });
  }

  it('that are none are refused each time, also behind one that is right', () => {
    const names = new FunctionNames(readClientOptions({}));
    for (let round = 0; round < 2; round++) {
      for (const bad of ['', undefined, null, 7, {}, 'a\0', 'x'.repeat(512), '\ud800']) {
        assert.throws(() => names.onWire(bad), { name: 'GearmanArgumentError' });
      }
      assert.equal(names.onWire('f'), 'f');
    }
  });
});
