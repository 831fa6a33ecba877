/** What callers may pass: limits in bytes, and messages that say what to do. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import { GearmanArgumentError, type GearmanErrorCode } from '../../src/errors.js';
import { checkFunction, checkHandle, checkUnique, checkWorkload, kindOf } from '../../src/protocol/arguments.js';

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
    refuses(() => checkFunction(undefined), INVALID, /not undefined/);
    refuses(() => checkFunction(Buffer.from('f')), INVALID, /not an object/);
  });

  it('says what to do when it is refused', () => {
    refuses(() => checkFunction(''), INVALID, /^The function name is empty\. It has 1 to 511 bytes\.$/);
    refuses(() => checkFunction('\0'), INVALID, /^The function name contains a NUL.* Remove it\.$/);
    refuses(
      () => checkFunction('x'.repeat(9000)),
      TOO_LARGE,
      /^The function name has 9000 bytes.* Use a shorter one\.$/,
    );
  });

  it('is counted in bytes, whatever its characters', () => {
    for (const [unit, most] of [
      ['x', 511],
      ['ü', 255],
      ['✓', 170],
      ['🎉', 127],
    ] as const) {
      assert.equal(checkFunction(unit.repeat(most)), unit.repeat(most));
      refuses(() => checkFunction(unit.repeat(most + 1)), TOO_LARGE, /the limit is 511/);
    }
  });

  it('is refused with half a surrogate pair: as UTF-8 that would be another name', () => {
    for (const bad of ['f\ud83c', '\udf89f', '\udf89\ud83c'])
      refuses(() => checkFunction(bad), INVALID, /surrogate|Unicode|well-formed/i);
    assert.equal(checkFunction('f🎉'), 'f🎉');
  });

  it('is not the only name under these rules: the message says which is meant', () => {
    refuses(() => checkFunction('', 'The option prefix'), INVALID, /^The option prefix is empty/);
    refuses(() => checkFunction(7, 'The option reducer'), INVALID, /^The option reducer must be a string/);
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
    refuses(() => checkUnique(null), INVALID, /not null/);
    refuses(() => checkUnique(7), INVALID, /not number/);
  });

  it('is counted in bytes, whatever its characters', () => {
    for (const [unit, most] of [
      ['x', 63],
      ['ü', 31],
      ['✓', 21],
      ['🎉', 15],
    ] as const) {
      assert.equal(checkUnique(unit.repeat(most)), unit.repeat(most));
      refuses(() => checkUnique(unit.repeat(most + 1)), TOO_LARGE, /bytes; the limit is 63/);
    }
  });

  it('is refused with half a surrogate pair: as UTF-8 different ones would be the same', () => {
    for (const bad of ['u\ud800', 'u\udbff', '\udf89'])
      refuses(() => checkUnique(bad), INVALID, /surrogate|Unicode|well-formed/i);
  });

  it("may begin with '#' if it does not end there", () => {
    for (const unique of ['#1', '##', ' #']) assert.equal(checkUnique(unique), unique);
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
    for (const bytes of [new Uint16Array(1), new DataView(new ArrayBuffer(1)), new Int8Array(1)]) {
      refuses(() => checkWorkload(bytes), INVALID, /Uint8Array, not an object/);
    }
  });

  it('is never shown in a message', () => {
    assert.throws(
      () => checkWorkload({ password: 'secret' }),
      (error) => error instanceof Error && !error.message.includes('secret') && !error.message.includes('password'),
    );
  });

  it('is refused when its memory was transferred away', () => {
    for (const bytes of [new Uint8Array(8), Buffer.from(new ArrayBuffer(8), 2, 4)]) {
      structuredClone(bytes, { transfer: [bytes.buffer] });
      refuses(() => checkWorkload(bytes), INVALID, /has lost its memory: it was transferred. Pass a copy/);
    }
    assert.equal(checkWorkload(new Uint8Array(new ArrayBuffer(8), 8)).length, 0);
  });

  it('may have as many bytes as the length of a packet can say, but for 8 KiB for the names', () => {
    // A stand-in: no test needs four gigabytes.
    const sized = (byteLength: number): Uint8Array =>
      Object.defineProperties(new Uint8Array(0), { length: { value: byteLength }, byteLength: { value: byteLength } });
    const most = 0xffff_ffff - 8192;
    assert.equal(checkWorkload(sized(most)).length, most);
    refuses(() => checkWorkload(sized(most + 1)), TOO_LARGE, /Store it elsewhere and send a reference/);
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
    for (const bad of ['H:\n', '\t', '\x7f', '\x1f', 'H:1\r', '\xa0']) {
      refuses(() => checkHandle(bad), INVALID, /printable ASCII only\. Pass it as it came/);
    }
    refuses(() => checkHandle('x'.repeat(64)), TOO_LARGE, /64 bytes; the limit is 63/);
    refuses(() => checkHandle(undefined), INVALID, /not undefined/);
  });
});

describe('what a value is, for a message', () => {
  it('is its type, as a reader would say it', () => {
    const kinds = [null, undefined, [], {}, 'text', 1, true, () => 0, Symbol('s'), 1n].map(kindOf);
    const expected = [
      'null',
      'undefined',
      'an array',
      'an object',
      'string',
      'number',
      'boolean',
      'function',
      'symbol',
    ];
    assert.deepEqual(kinds, [...expected, 'bigint']);
  });
});
