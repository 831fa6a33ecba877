/** What users of a worker may set, what holds where they set nothing, and what they are told when it cannot be used. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GearmanArgumentError } from '../../src/errors.js';
import {
  readCloseTimeout,
  readFunctionOptions,
  readWorkerOptions,
  type GearmanWorkerOptions,
} from '../../src/worker/options.js';
import { GearmanWorker } from '../../src/worker/worker.js';
import { rejection } from '../support/client.js';
import { Peer } from '../support/peer.js';
import { attend, workerOf } from '../support/worker.js';

const nothing = (): void => undefined;

function refuses(run: () => unknown, message: RegExp, code = 'GEARMAN_INVALID_ARGUMENT'): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof GearmanArgumentError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

/** Makes a worker of options that TypeScript would not let through. */
const make = (options: unknown): GearmanWorker => new GearmanWorker(options as GearmanWorkerOptions);
/** Adds a function that TypeScript would not let through. */
const add = (name: unknown, handler: unknown = nothing, options: unknown = {}): GearmanWorker =>
  new GearmanWorker().addFunction(name as string, handler as () => void, options as object);

/** Everybody who takes options of some kind, by its name in messages. */
const READERS: Readonly<Record<string, (options: unknown) => unknown>> = {
  GearmanWorker: (options) => readWorkerOptions(options as never),
  addFunction: readFunctionOptions,
  close: readCloseTimeout,
};

/** Every option that is a time, and who takes it. */
const TIMES: readonly [reader: string, option: string][] = [
  ['GearmanWorker', 'connectTimeout'],
  ['GearmanWorker', 'heartbeat'],
  ['GearmanWorker', 'idleTimeout'],
  ['addFunction', 'timeout'],
  ['close', 'timeout'],
];

describe('the worker', () => {
  it('has these defaults', () => {
    assert.deepEqual(readWorkerOptions({}), {
      tls: undefined,
      connectTimeout: 3000,
      heartbeat: 3000,
      backoff: { min: 100, max: 10_000 },
      maxPacketSize: 64 * 1024 * 1024,
      prefix: '',
      id: undefined,
      concurrency: 1,
      maxJobs: Infinity,
      idleTimeout: Infinity,
      maxInFlight: Infinity,
    });
  });

  it('has them for options that are undefined, too', () => {
    const undefineds = { id: undefined, concurrency: undefined, maxJobs: undefined, idleTimeout: undefined };
    assert.deepEqual(readWorkerOptions(undefineds), readWorkerOptions({}));
  });

  it('takes all of its options', () => {
    const tls = { ca: 'x' };
    const given: GearmanWorkerOptions = {
      ...{ servers: 'a', tls, connectTimeout: 2, heartbeat: 3, backoff: { min: 4, max: 5 }, maxPacketSize: 7 },
      ...{ prefix: 'p', id: 'worker-1', concurrency: 8, maxJobs: 9, idleTimeout: 10 },
    };
    assert.deepEqual(readWorkerOptions(given), {
      ...{ tls, connectTimeout: 2, heartbeat: 3, backoff: { min: 4, max: 5 }, maxPacketSize: 7 },
      ...{ prefix: 'p', id: 'worker-1', concurrency: 8, maxJobs: 9, idleTimeout: 10, maxInFlight: Infinity },
    });
  });

  it('may be given just the servers', () => {
    for (const servers of ['a,b:1', ['a', { host: 'b' }], { host: 'a', port: 1 }, { servers: 'a' }]) {
      assert.doesNotThrow(() => make(servers));
    }
    refuses(() => make('a:port'), /port/);
    refuses(() => make([]), /server/);
    refuses(() => make({ servers: 7 }), /server/);
  });

  for (const name of ['concurrency', 'maxJobs', 'maxPacketSize']) {
    it(`refuses a ${name} that is no whole number above 0`, () => {
      for (const value of [0, -1, 1.5, NaN, Infinity, '1', null, true, {}, 2 ** 60]) {
        refuses(
          () => make({ [name]: value }),
          new RegExp(`^The option ${name} must be a whole number from 1 to \\d+\\.$`),
        );
      }
      assert.doesNotThrow(() => make({ [name]: 1 }));
    });
  }

  it('takes an id of up to 127 bytes without blanks', () => {
    for (const id of ['w', 'host/1.2:3', 'ü', 'x'.repeat(127)]) assert.doesNotThrow(() => make({ id }));
    for (const id of ['a b', ' a', 'a\n', 'a\tb', '\u00a0']) refuses(() => make({ id }), /^The option id must have no/);
    for (const id of ['x'.repeat(128), 'ü'.repeat(64)]) {
      refuses(() => make({ id }), /^The option id must have at most 127 bytes\.$/);
    }
    refuses(() => make({ id: 'x'.repeat(512) }), /^The option id has 512/, 'GEARMAN_ARGUMENT_TOO_LARGE');
    refuses(() => make({ id: '' }), /^The option id is empty\./);
    refuses(() => make({ id: 'a\0' }), /^The option id contains a NUL/);
    refuses(() => make({ id: '\ud800' }), /^The option id has half a surrogate pair/);
    for (const [id, kind] of [
      [7, 'number'],
      [null, 'null'],
      [['a'], 'an array'],
    ] as const) {
      refuses(() => make({ id }), new RegExp(`^The option id must be a string, not ${kind}\\.$`));
    }
  });

  it('refuses what no client takes either', () => {
    refuses(() => make({ backoff: { min: 20_000 } }), /option backoff needs min <= max/);
    refuses(() => make({ backoff: 100 }), /options of backoff must be an object, not number/);
    refuses(() => make({ tls: 'yes' }), /option tls is true or an object/);
    refuses(() => make({ prefix: 'a\0' }), /^The option prefix contains a NUL/);
    refuses(() => make({ prefix: 7 }), /^The option prefix must be a string/);
  });

  it('does not take options that are those of the client alone', () => {
    for (const key of ['timeout', 'routing', 'resubmit', 'maxInFlight']) {
      refuses(
        () => make({ [key]: 1 }),
        new RegExp(`^GearmanWorker has no option '${key}', only servers, .*idleTimeout`),
      );
    }
  });
});

describe('a time', () => {
  for (const [reader, option] of TIMES) {
    const read = (value: unknown): unknown => READERS[reader]?.({ [option]: value });

    it(`is a number of milliseconds above 0: ${option} of ${reader}`, () => {
      for (const value of [0, -1, -0, NaN, -Infinity, '1000', null, true, {}, [5], 1n]) {
        refuses(() => read(value), new RegExp(`^The option ${option} must be a number of milliseconds above 0\\.$`));
      }
      for (const value of [2 ** 31, 1e12, Number.MAX_VALUE]) {
        refuses(
          () => read(value),
          new RegExp(`^The option ${option} must be at most 2147483647 ms, or Infinity for no`),
        );
      }
      for (const value of [1, 0.5, 2 ** 31 - 1, Infinity]) assert.doesNotThrow(() => read(value));
    });
  }
});

describe('options', () => {
  for (const [name, read] of Object.entries(READERS)) {
    it(`of ${name} are an object`, () => {
      for (const [value, kind] of [
        [null, 'null'],
        [7, 'number'],
        [[], 'an array'],
        [true, 'boolean'],
        [() => 0, 'function'],
      ] as const) {
        refuses(() => read(value), new RegExp(`^The options of ${name} must be an object, not ${kind}\\.$`));
      }
    });

    it(`of ${name} have no key that they do not know`, () => {
      for (const key of ['Timeout', 'concurency', '']) {
        refuses(() => read({ [key]: undefined }), new RegExp(`^${name} has no option '${key}', only .*\\.$`));
      }
    });

    it(`of ${name} may be empty or without a prototype`, () => {
      for (const options of [{}, Object.freeze({}), Object.create(null)]) assert.doesNotThrow(() => read(options));
    });
  }
});

describe('a function', () => {
  it('has these defaults', () => {
    const defaults = { timeout: Infinity, onTimeout: 'fail', concurrency: undefined, reducer: false };
    assert.deepEqual(readFunctionOptions({}), { ...defaults, serverTimeout: undefined });
    const undefineds = { timeout: undefined, onTimeout: undefined, reducer: undefined, serverTimeout: undefined };
    assert.deepEqual(readFunctionOptions(undefineds), readFunctionOptions({}));
  });

  it('takes all of its options', () => {
    const given = { timeout: 1, onTimeout: 'retry', concurrency: 2, reducer: true, serverTimeout: 3 } as const;
    assert.deepEqual(readFunctionOptions(given), given);
  });

  it('has a name under the rules for these, with its prefix', () => {
    for (const name of ['f', 'with blank', 'tab\t', 'ü', 'x'.repeat(511)]) assert.doesNotThrow(() => add(name));
    refuses(() => add(''), /^The function name is empty/);
    refuses(() => add('a\0b'), /^The function name contains a NUL/);
    refuses(() => add(undefined), /^The function name must be a string, not undefined\.$/);
    refuses(() => add({}), /^The function name must be a string, not an object\.$/);
    refuses(() => add('x'.repeat(512)), /^The function name has 512 bytes/, 'GEARMAN_ARGUMENT_TOO_LARGE');
    const worker = new GearmanWorker({ prefix: 'p:' });
    refuses(
      () => worker.addFunction('x'.repeat(510), nothing),
      /^The function name with its prefix has 512 bytes/,
      'GEARMAN_ARGUMENT_TOO_LARGE',
    );
    refuses(() => worker.removeFunction(''), /^The function name is empty/);
  });

  it('has a handler that is a function', () => {
    for (const [handler, kind] of [
      [null, 'null'],
      ['f', 'string'],
      [{ handler: nothing }, 'an object'],
      [Promise.resolve(nothing), 'an object'],
    ] as const) {
      refuses(() => add('resize', handler), new RegExp(`^The handler of resize must be a function, not ${kind}\\.$`));
    }
    refuses(() => new GearmanWorker().addFunction('resize', undefined as never), /not undefined\.$/);
  });

  it('has an onTimeout of fail or retry', () => {
    for (const onTimeout of ['Fail', '', 'ignore', null, true, 0]) {
      refuses(() => add('f', nothing, { onTimeout }), /^The option onTimeout is 'fail' or 'retry'\.$/);
    }
  });

  it('has a concurrency that is a whole number above 0', () => {
    for (const concurrency of [0, -1, 1.5, NaN, Infinity, '1', null]) {
      refuses(() => add('f', nothing, { concurrency }), /^The option concurrency must be a whole number from 1 to/);
    }
  });

  it('has a reducer of true or false', () => {
    for (const [reducer, kind] of [
      ['sum', 'string'],
      [1, 'number'],
      [null, 'null'],
    ] as const) {
      refuses(
        () => add('f', nothing, { reducer }),
        new RegExp(`^The option reducer must be true or false, not ${kind}`),
      );
    }
  });

  it('has a serverTimeout that is a time with an end', () => {
    for (const serverTimeout of [0, -1, NaN, '1000', null]) {
      refuses(() => add('f', nothing, { serverTimeout }), /^The option serverTimeout must be a number of milliseconds/);
    }
    refuses(
      () => add('f', nothing, { serverTimeout: Infinity }),
      /^The option serverTimeout .*leave it out for no limit/,
    );
    refuses(() => add('f', nothing, { serverTimeout: 2 ** 31 }), /at most 2147483647 ms/);
  });

  it('is there once, under the name that it has on the wire', () => {
    const worker = new GearmanWorker().addFunction('f', nothing);
    refuses(() => worker.addFunction('f', nothing), /^The worker has the function f already\. Remove it first\.$/);
    refuses(() => worker.addFunction('f', nothing, { concurrency: 1 }), /has the function f already/);
    worker.removeFunction('f').addFunction('f', nothing);
  });

  it('that is refused is not added', () => {
    const worker = new GearmanWorker();
    refuses(() => worker.addFunction('f', nothing, { timeout: 0 }), /timeout/);
    worker.addFunction('f', nothing);
  });

  it('that is not there may be removed', () => {
    assert.doesNotThrow(() => new GearmanWorker().removeFunction('f'));
  });
});

describe('close()', () => {
  it('rejects options that are none, and closes nothing', async (t) => {
    const peer = await Peer.start(t, attend);
    const worker = workerOf(t, [peer]).addFunction('f', nothing);
    for (const options of [{ timeout: 0 }, { timeout: '1' }, { timout: 1 }, null]) {
      await rejection(worker.close(options as never), 'GEARMAN_INVALID_ARGUMENT');
    }
    await worker.start();
  });
});
