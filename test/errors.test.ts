/** Errors: what they carry, how they print. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  GearmanArgumentError,
  GearmanConnectionError,
  GearmanError,
  GearmanProtocolError,
  GearmanServerError,
  asError,
  describe as describeError,
  failAtCaller,
} from '../src/errors.js';

describe('an error', () => {
  it('is a GearmanError of a class that says what the caller can do', () => {
    for (const Class of [GearmanArgumentError, GearmanConnectionError, GearmanProtocolError, GearmanServerError]) {
      const error = new Class('GEARMAN_TIMEOUT', 'too late');
      assert.ok(error instanceof GearmanError);
      assert.equal(error.name, Class.name);
      assert.match(String(error), /^Gearman\w+Error: too late$/);
    }
    assert.equal(new GearmanError('GEARMAN_NO_SERVERS', '').name, 'GearmanError');
    assert.equal(new GearmanError('GEARMAN_ABORTED', '').name, 'AbortError');
  });

  it('has only the details that are known', () => {
    const error = new GearmanError('GEARMAN_TIMEOUT', 'm', { server: 'a:1', unique: undefined, maybeSubmitted: false });
    assert.deepEqual(Object.keys(error).sort(), ['code', 'maybeSubmitted', 'server']);
    assert.equal('cause' in error, false);
  });

  it('serializes with name, message, code, details and the message of its cause', () => {
    const cause = new AggregateError([new Error('one'), new Error('two')]);
    const error = new GearmanConnectionError('GEARMAN_COULD_NOT_CONNECT', 'm', { unreachable: ['a:1'], cause });
    assert.deepEqual(JSON.parse(JSON.stringify(error)), {
      name: 'GearmanConnectionError',
      message: 'm',
      code: 'GEARMAN_COULD_NOT_CONNECT',
      unreachable: ['a:1'],
      cause: 'one; two',
    });
  });
});

describe('describe', () => {
  it('makes one line of anything that was thrown', () => {
    assert.equal(describeError(new AggregateError([new Error('x'), 'y'], 'both')), 'both: x; y');
    assert.equal(describeError('text'), 'text');
    assert.equal(asError('text').message, 'text');
  });
});

describe('failAtCaller', () => {
  it('rejects with a stack that ends in the line that awaits', async () => {
    let resolve: (value: Promise<never>) => void = () => undefined;
    const call = new Promise<never>((settle) => {
      resolve = settle;
    });
    async function theCaller(): Promise<void> {
      await call;
    }
    const outcome = assert.rejects(
      theCaller(),
      (error) => error instanceof Error && (error.stack ?? '').includes('at async theCaller'),
    );
    setImmediate(() => {
      resolve(failAtCaller(new Error('late')));
    });
    await outcome;
  });
});
