/** What callers may pass: limits in bytes, and messages that say what to do. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import { GearmanArgumentError, type GearmanErrorCode } from '../../src/errors.js';
import { checkFunction, checkHandle, checkUnique, checkWorkload } from '../../src/protocol/arguments.js';

function refuses(run: () => unknown, code: GearmanErrorCode, message: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof GearmanArgumentError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

const INVALID = 'GEARMAN_INVALID_ARGUMENT';
const TOO_LARGE = 'GEARMAN_ARGUMENT_TOO_LARGE';

describe('a function name', () => {
  it('may have 1 to 511 bytes, with blanks and TABs', () => {
    for (const name of ['f', 'a b\tc', 'x'.repeat(511), 'ü'.repeat(255)]) assert.equal(checkFunction(name), name);
  });

  it('is refused when it is empty, has a NUL, is too long or no string', () => {
    refuses(() => checkFunction(''), INVALID, /empty/);
    refuses(() => checkFunction('a\0b'), INVALID, /NUL/);
    refuses(() => checkFunction('x'.repeat(512)), TOO_LARGE, /512 bytes; the limit is 511/);
    refuses(() => checkFunction('ü'.repeat(256)), TOO_LARGE, /512 bytes/);
    refuses(() => checkFunction(17), INVALID, /string, not number/);
    refuses(() => checkFunction(null), INVALID, /not null/);
  });
});

describe('a unique ID', () => {
  it('may have up to 63 bytes', () => {
    for (const unique of ['', '-', 'x'.repeat(63), 'ü'.repeat(31), '🎉'.repeat(15)])
      assert.equal(checkUnique(unique), unique);
  });

  it("is refused when it is '#', has a NUL or is too long in bytes", () => {
    refuses(() => checkUnique('#'), INVALID, /uniqueFor\(workload\)/);
    refuses(() => checkUnique('a\0'), INVALID, /NUL/);
    refuses(() => checkUnique('x'.repeat(64)), TOO_LARGE, /64 bytes; the limit is 63.*uniqueFor/);
    refuses(() => checkUnique('ü'.repeat(32)), TOO_LARGE, /64 bytes/);
    refuses(() => checkUnique({}), INVALID, /not an object/);
  });
});

describe('a workload', () => {
  it('is a string or bytes, also those of another realm', () => {
    const foreign = runInNewContext('new Uint8Array(3)') as Uint8Array;
    for (const workload of ['', 'text\0', new Uint8Array(0), Buffer.from('x'), foreign]) {
      assert.equal(checkWorkload(workload), workload);
    }
  });

  it('is refused otherwise, with the advice to serialize it', () => {
    const others = { 'an object': {}, 'an array': [], null: null, undefined, number: 1, boolean: true };
    for (const [kind, workload] of Object.entries(others)) {
      refuses(() => checkWorkload(workload), INVALID, new RegExp(`not ${kind}. Serialize it first`));
    }
    refuses(() => checkWorkload(new ArrayBuffer(1)), INVALID, /Serialize/);
  });
});

describe('a job handle', () => {
  it('is 1 to 63 bytes of printable ASCII', () => {
    for (const handle of ['H:host:1', 'x', 'y'.repeat(63), 'with blank']) assert.equal(checkHandle(handle), handle);
  });

  it('is refused when it is empty, has a NUL or other bytes, or is too long', () => {
    refuses(() => checkHandle(''), INVALID, /empty.*doBackground/);
    refuses(() => checkHandle('H:1\0'), INVALID, /NUL/);
    refuses(() => checkHandle('H:ü:1'), INVALID, /printable ASCII/);
    refuses(() => checkHandle('H:\n'), INVALID, /printable ASCII/);
    refuses(() => checkHandle('x'.repeat(64)), TOO_LARGE, /64 bytes; the limit is 63/);
    refuses(() => checkHandle(undefined), INVALID, /not undefined/);
  });
});
