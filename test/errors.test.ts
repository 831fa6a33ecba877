/** Errors: what they carry, how they print. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import {
  ERROR_CODES,
  GearmanArgumentError,
  GearmanConnectionError,
  GearmanError,
  GearmanProtocolError,
  GearmanServerError,
  asError,
  describe as describeError,
  failAtCaller,
  gearmanError,
  invalidArgument,
  type GearmanErrorCode,
  type GearmanErrorDetails,
} from '../src/errors.js';

const CLASSES = [GearmanArgumentError, GearmanConnectionError, GearmanProtocolError, GearmanServerError];

/** Everything that an error may know. */
const ALL = {
  server: 'a:4730',
  function: 'reverse',
  unique: 'u',
  handle: 'H:1',
  maybeSubmitted: true,
  serverCode: 'QUEUE_ERROR',
  unreachable: ['b:4730'],
} as const;

describe('the table of codes', () => {
  it('has names as libgearman has them, each with what it means', () => {
    for (const [code, meaning] of Object.entries(ERROR_CODES)) {
      assert.match(code, /^GEARMAN_[A-Z]+(_[A-Z]+)*$/);
      assert.match(meaning, /^[A-Z'].*[.?]$/);
    }
  });
});

describe('an error', () => {
  for (const Class of CLASSES) {
    it(`may be a ${Class.name}, which is a GearmanError and an Error`, () => {
      const error = new Class('GEARMAN_TIMEOUT', 'too late');
      assert.ok(error instanceof Class && error instanceof GearmanError && error instanceof Error);
      assert.equal(error.name, Class.name);
      assert.equal(String(error), `${Class.name}: too late`);
      for (const Other of CLASSES) assert.equal(error instanceof Other, Other === Class);
    });
  }

  it('of no other class is a GearmanError by name, an AbortError when its call was aborted', () => {
    for (const code of Object.keys(ERROR_CODES) as GearmanErrorCode[]) {
      const error = new GearmanError(code, 'm');
      assert.equal(error.code, code);
      assert.equal(error.name, code === 'GEARMAN_ABORTED' ? 'AbortError' : 'GearmanError');
    }
  });

  it('prints its name and message, a stack that begins where it was made, and what it knows', () => {
    const text = inspect(new GearmanConnectionError('GEARMAN_TIMEOUT', 'too late', { server: 'a:4730' }));
    assert.match(text, /^GearmanConnectionError: too late\n {4}at .*errors\.test/);
    assert.match(text, /code: 'GEARMAN_TIMEOUT',\s+server: 'a:4730'/);
    assert.match(inspect(new GearmanError('GEARMAN_ABORTED', 'stopped')), /AbortError.*: stopped\n/);
  });

  for (const [key, value] of Object.entries(ALL)) {
    it(`has ${key} if that is known, and not otherwise`, () => {
      const details: GearmanErrorDetails = { [key]: value };
      const error = new GearmanError('GEARMAN_TIMEOUT', 'm', details);
      assert.equal(Reflect.get(error, key), value);
      assert.deepEqual(Object.keys(error).sort(), ['code', key].sort());
      const without = new GearmanError('GEARMAN_TIMEOUT', 'm', { [key]: undefined });
      assert.equal(key in without, false);
    });
  }

  it('keeps all that is known, a false as well', () => {
    const error = new GearmanError('GEARMAN_TIMEOUT', 'm', ALL);
    assert.deepEqual(Object.fromEntries(Object.entries(error)), { code: 'GEARMAN_TIMEOUT', ...ALL });
    assert.equal(new GearmanError('GEARMAN_TIMEOUT', 'm', { maybeSubmitted: false }).maybeSubmitted, false);
  });

  it('has its cause, whatever that is, and none if there is none', () => {
    for (const cause of [new Error('x'), 'text', null, 0]) {
      assert.equal(new GearmanError('GEARMAN_TIMEOUT', 'm', { cause }).cause, cause);
    }
    assert.equal('cause' in new GearmanError('GEARMAN_TIMEOUT', 'm'), false);
    assert.equal('cause' in new GearmanError('GEARMAN_TIMEOUT', 'm', { cause: undefined }), false);
  });

  it('does not let the details be changed', () => {
    const error = new GearmanError('GEARMAN_TIMEOUT', 'm', { server: 'a' });
    assert.throws(() => Object.assign(error, { server: 'b' }), TypeError);
    assert.equal(error.server, 'a');
  });

  /** The class of each code, as the classes' own descriptions have it. */
  const classOf: Record<GearmanErrorCode, typeof GearmanError> = {
    GEARMAN_INVALID_ARGUMENT: GearmanArgumentError,
    GEARMAN_ARGUMENT_TOO_LARGE: GearmanArgumentError,
    GEARMAN_NO_SERVERS: GearmanError,
    GEARMAN_COULD_NOT_CONNECT: GearmanConnectionError,
    GEARMAN_LOST_CONNECTION: GearmanConnectionError,
    GEARMAN_TIMEOUT: GearmanConnectionError,
    GEARMAN_SERVER_ERROR: GearmanServerError,
    GEARMAN_AMBIGUOUS_HANDLE: GearmanError,
    GEARMAN_ABORTED: GearmanError,
    GEARMAN_SHUTDOWN: GearmanError,
    GEARMAN_INVALID_MAGIC: GearmanProtocolError,
    GEARMAN_INVALID_COMMAND: GearmanProtocolError,
    GEARMAN_INVALID_PACKET: GearmanProtocolError,
    GEARMAN_UNEXPECTED_PACKET: GearmanProtocolError,
    GEARMAN_DATA_TOO_LARGE: GearmanProtocolError,
  };
  for (const code of Object.keys(ERROR_CODES) as GearmanErrorCode[]) {
    it(`with the code ${code} is a ${classOf[code].name}, and none of another class`, () => {
      const error = gearmanError(code, 'm', ALL);
      assert.equal(Object.getPrototypeOf(error), classOf[code].prototype);
      assert.deepEqual([error.code, error.message, error.server], [code, 'm', 'a:4730']);
      assert.match(error.stack ?? '', /\n {4}at .*errors\.test/);
      assert.doesNotMatch(error.stack ?? '', /gearmanError/);
    });
  }

  it('about an argument is a GearmanArgumentError', () => {
    const error = invalidArgument('Fix it.', { server: 'a:4730' });
    assert.ok(error instanceof GearmanArgumentError);
    assert.deepEqual([error.code, error.message, error.server], ['GEARMAN_INVALID_ARGUMENT', 'Fix it.', 'a:4730']);
  });
});

describe('an error as JSON', () => {
  const json = (error: GearmanError): unknown => JSON.parse(JSON.stringify(error));

  it('has its name, message and code, and no more if no more is known', () => {
    const expected = { name: 'GearmanError', message: 'm', code: 'GEARMAN_SHUTDOWN' };
    assert.deepEqual(json(new GearmanError('GEARMAN_SHUTDOWN', 'm')), expected);
  });

  it('has every detail, and the message of its cause', () => {
    const cause = new Error('connect ECONNREFUSED');
    const error = new GearmanConnectionError('GEARMAN_COULD_NOT_CONNECT', 'm', { ...ALL, cause });
    assert.deepEqual(json(error), {
      name: 'GearmanConnectionError',
      message: 'm',
      code: 'GEARMAN_COULD_NOT_CONNECT',
      ...ALL,
      cause: 'connect ECONNREFUSED',
    });
  });

  it('lists the parts of an AggregateError, whose own message is empty when Node makes it', () => {
    const cause = new AggregateError([new Error('connect ::1'), new Error('connect 127.0.0.1')]);
    const error = new GearmanConnectionError('GEARMAN_COULD_NOT_CONNECT', 'm', { cause });
    assert.equal(error.toJSON()['cause'], 'connect ::1; connect 127.0.0.1');
  });

  it('can be made of a cause that JSON cannot show', () => {
    const circular: { self?: unknown } = {};
    circular.self = circular;
    for (const cause of [circular, 1n, Symbol('s'), () => 0]) {
      assert.doesNotThrow(() => JSON.stringify(new GearmanError('GEARMAN_ABORTED', 'm', { cause })));
    }
  });
});

describe('describe', () => {
  const cases: readonly [what: string, thrown: unknown, line: string][] = [
    ['an error', new Error('x'), 'x'],
    ['an error of ours', new GearmanError('GEARMAN_TIMEOUT', 'late'), 'late'],
    ['an AggregateError', new AggregateError([new Error('x'), 'y'], 'both'), 'both: x; y'],
    ['an AggregateError without a message', new AggregateError([new Error('x'), new Error('y')]), 'x; y'],
    [
      'one inside another',
      new AggregateError([new AggregateError([new Error('x')], 'in'), 'y'], 'out'),
      'out: in: x; y',
    ],
    ['a string', 'text', 'text'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a number', 7, '7'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
  ];
  for (const [what, thrown, line] of cases) {
    it(`makes one line of ${what}`, () => {
      assert.equal(describeError(thrown), line);
    });
  }

  it('makes a line of what has no text, too', () => {
    assert.doesNotThrow(() => describeError(Object.create(null)));
  });
});

describe('asError', () => {
  it('leaves an error as it is', () => {
    const error = new TypeError('x');
    assert.equal(asError(error), error);
  });

  it('makes one of everything else', () => {
    for (const thrown of ['text', undefined, 7]) {
      assert.ok(asError(thrown) instanceof Error);
      assert.equal(asError(thrown).message, String(thrown));
    }
    assert.ok(asError(Object.create(null)) instanceof Error);
  });
});

describe('failAtCaller', () => {
  it('rejects with the error itself, with a stack that ends in the line that awaits', async () => {
    let resolve: (value: Promise<never>) => void = () => undefined;
    const call = new Promise<never>((settle) => {
      resolve = settle;
    });
    async function theCaller(): Promise<void> {
      await call;
    }
    const error = new GearmanError('GEARMAN_TIMEOUT', 'late');
    const outcome = assert.rejects(theCaller(), (thrown) => {
      assert.equal(thrown, error);
      assert.match(error.stack ?? '', /^GearmanError: late\n/);
      assert.match(error.stack ?? '', /at async theCaller/);
      assert.doesNotMatch(error.stack ?? '', /failAtCaller/);
      return true;
    });
    setImmediate(() => {
      resolve(failAtCaller(error));
    });
    await outcome;
  });
});
