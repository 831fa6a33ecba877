/** What callers may set, what holds where they set nothing, and what they are told when it cannot be used. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import {
  readClientOptions,
  readCloseOptions,
  readRequestOptions,
  readSubmitOptions,
  readWatchOptions,
  type GearmanClientOptions,
} from '../../src/client/options.js';
import { asOptions } from '../../src/transport/settings.js';
import { GearmanArgumentError } from '../../src/errors.js';
import { clientOf, proven, rejection, settleDown } from '../support/client.js';
import { Peer, jobCreated, serve } from '../support/peer.js';

function refuses(run: () => unknown, message: RegExp, code = 'GEARMAN_INVALID_ARGUMENT'): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof GearmanArgumentError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

/** Reads options that TypeScript would not let through. */
const readClient = (options: unknown): unknown => readClientOptions(options as never);
const SETTINGS = readClientOptions({});
const readJob = (options: unknown): unknown => readSubmitOptions(options, 'submitBackground', undefined, SETTINGS);

/** Everybody who takes options of some kind, by its name in messages. */
const READERS: Readonly<Record<string, (options: unknown) => unknown>> = {
  GearmanClient: readClient,
  jobStatus: (options) => readRequestOptions(options, 'jobStatus', SETTINGS),
  doBackground: (options) => readSubmitOptions(options, 'doBackground', 'normal', SETTINGS),
  submitBackground: readJob,
  watch: readWatchOptions,
  close: readCloseOptions,
};

/** Every option that is a time, and who takes it. */
const TIMES: readonly [reader: string, option: string][] = [
  ...(['timeout', 'connectTimeout', 'heartbeat'] as const).map((name) => ['GearmanClient', name] as [string, string]),
  ['jobStatus', 'timeout'],
  ['doBackground', 'timeout'],
  ['submitBackground', 'timeout'],
  ['watch', 'timeout'],
  ['watch', 'interval'],
  ['close', 'timeout'],
];

describe('the client', () => {
  it('has these defaults', () => {
    const { router, ...settings } = readClientOptions({});
    assert.deepEqual(settings, {
      tls: undefined,
      timeout: 10_000,
      connectTimeout: 3000,
      heartbeat: 3000,
      backoff: { min: 100, max: 10_000 },
      resubmit: false,
      maxInFlight: 1024,
      maxPacketSize: 64 * 1024 * 1024,
      prefix: '',
    });
    const { router: byUnique } = readClientOptions({ routing: 'by-unique' });
    assert.equal(router, byUnique);
  });

  it('has them for options that are undefined, too', () => {
    const nothing = { timeout: undefined, backoff: { min: undefined }, prefix: undefined, routing: undefined };
    assert.deepEqual(readClientOptions(nothing), readClientOptions({}));
  });

  it('takes all of its options', () => {
    const tls = { ca: 'x' };
    const given: GearmanClientOptions = {
      ...{ servers: 'a', tls, timeout: 1, connectTimeout: 2, heartbeat: 3, backoff: { min: 4, max: 5 } },
      routing: 'in-order',
      ...{ resubmit: true, maxInFlight: 6, maxPacketSize: 7, prefix: 'p' },
    };
    assert.deepEqual(
      { ...readClientOptions(given), router: undefined },
      {
        router: undefined,
        ...{ tls, timeout: 1, connectTimeout: 2, heartbeat: 3, backoff: { min: 4, max: 5 } },
        ...{ resubmit: true, maxInFlight: 6, maxPacketSize: 7, prefix: 'p' },
      },
    );
  });

  it('fills in the half of backoff that is left out', () => {
    assert.deepEqual(readClientOptions({ backoff: { min: 5000 } }).backoff, { min: 5000, max: 10_000 });
    assert.deepEqual(readClientOptions({ backoff: { max: 100 } }).backoff, { min: 100, max: 100 });
  });

  it('refuses a backoff that is none', () => {
    refuses(() => readClient({ backoff: { min: 20_000 } }), /option backoff needs min <= max/);
    refuses(() => readClient({ backoff: { max: 99 } }), /min <= max/);
    refuses(() => readClient({ backoff: { max: Infinity } }), /neither may be Infinity/);
    refuses(() => readClient({ backoff: { min: Infinity, max: Infinity } }), /neither may be Infinity/);
    refuses(() => readClient({ backoff: { min: 0 } }), /option backoff\.min must be a number of milliseconds above 0/);
    refuses(() => readClient({ backoff: { max: '1' } }), /option backoff\.max must be a number/);
    refuses(() => readClient({ backoff: { maximum: 1 } }), /backoff has no option 'maximum', only min, max/);
    refuses(() => readClient({ backoff: 100 }), /options of backoff must be an object, not number/);
  });

  for (const name of ['maxInFlight', 'maxPacketSize']) {
    it(`refuses a ${name} that is no whole number above 0`, () => {
      for (const value of [0, -1, 1.5, NaN, Infinity, '1', true, {}, 2 ** 60]) {
        refuses(
          () => readClient({ [name]: value }),
          new RegExp(`option ${name} must be a whole number from 1 to \\d+\\.$`),
        );
      }
      assert.doesNotThrow(() => readClient({ [name]: 1 }));
    });
  }

  it('takes a maxPacketSize up to what the length of a packet can say', () => {
    assert.equal(readClientOptions({ maxPacketSize: 0xffff_ffff - 8192 }).maxPacketSize, 4_294_959_103);
    refuses(() => readClient({ maxPacketSize: 0xffff_ffff - 8191 }), /from 1 to 4294959103/);
  });

  it('refuses a resubmit that is neither true nor false', () => {
    for (const [value, kind] of [
      ['false', 'string'],
      [1, 'number'],
      [{}, 'an object'],
    ] as const) {
      refuses(() => readClient({ resubmit: value }), new RegExp(`resubmit must be true or false, not ${kind}`));
    }
  });

  it('refuses a prefix that no function name can begin with', () => {
    refuses(() => readClient({ prefix: 'a\0' }), /^The option prefix contains a NUL/);
    refuses(() => readClient({ prefix: 7 }), /^The option prefix must be a string/);
    refuses(() => readClient({ prefix: 'x'.repeat(512) }), /^The option prefix has 512/, 'GEARMAN_ARGUMENT_TOO_LARGE');
  });

  it('refuses a routing and a tls that are none', () => {
    refuses(() => readClient({ routing: 'random' }), /option routing is 'by-unique', 'in-order', 'round-robin' or/);
    refuses(() => readClient({ tls: 'yes' }), /option tls is true or an object/);
  });

  for (const name of ['timeout', 'connectTimeout', 'heartbeat', 'backoff', 'routing', 'resubmit', 'maxInFlight']) {
    it(`refuses ${name}: null, which says neither what is wanted nor that the default is`, () => {
      refuses(() => readClient({ [name]: null }), new RegExp(name));
    });
  }
});

describe('servers in the place of the options', () => {
  it('may be a string, an array, or one with a host', () => {
    assert.deepEqual(asOptions('a,b'), { servers: 'a,b' });
    assert.deepEqual(asOptions(['a', { host: 'b' }]), { servers: ['a', { host: 'b' }] });
    assert.deepEqual(asOptions({ host: 'a', port: 1 }), { servers: { host: 'a', port: 1 } });
  });

  it('are told from options', () => {
    const options = { timeout: 1 };
    assert.equal(asOptions<GearmanClientOptions>(options), options);
    assert.deepEqual(asOptions({}), {});
  });
});

describe('a time', () => {
  for (const [reader, option] of TIMES) {
    const read = (value: unknown): unknown => READERS[reader]?.({ [option]: value });

    it(`is a number of milliseconds above 0: ${option} of ${reader}`, () => {
      for (const value of [0, -1, -0, NaN, -Infinity, '1000', null, true, {}, [5], 1n, new Date(5)]) {
        refuses(() => read(value), new RegExp(`^The option ${option} must be a number of milliseconds above 0\\.$`));
      }
      for (const value of [1, 0.5, 2 ** 31 - 1]) assert.doesNotThrow(() => read(value));
    });

    it(`is not longer than a timer of Node, or Infinity: ${option} of ${reader}`, () => {
      for (const value of [2 ** 31, 1e12, Number.MAX_VALUE]) {
        refuses(
          () => read(value),
          new RegExp(`^The option ${option} must be at most 2147483647 ms, or Infinity for no`),
        );
      }
      assert.doesNotThrow(() => read(Infinity));
    });
  }

  it('of Infinity never ends anything', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer], { timeout: Infinity, connectTimeout: Infinity, heartbeat: Infinity });
    await client.doBackground('f', 'w');
    await client.close({ timeout: Infinity });
  });
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

    it(`of ${name} count, and are checked, also where the object inherits them`, () => {
      const inherits = (from: object): object => Object.create(from) as object;
      for (const options of [inherits({ timeout: -1 }), inherits(inherits({ timeout: -1 }))]) {
        refuses(() => read(options), /^The option timeout must be a number of milliseconds above 0\.$/);
      }
      refuses(() => read(inherits({ uniqe: 'u' })), new RegExp(`^${name} has no option 'uniqe', only .*timeout`));
      assert.doesNotThrow(() => read(Object.assign(inherits({ timeout: -1 }), { timeout: 5 })), 'its own go first');
    });

    it(`of ${name} have no key that it does not know`, () => {
      for (const key of ['Timeout', 'uniqe', 'job', '']) {
        refuses(() => read({ [key]: undefined }), new RegExp(`^${name} has no option '${key}', only .*timeout.*\\.$`));
      }
    });

    it(`of ${name} may be empty, frozen, or without a prototype`, () => {
      for (const options of [{}, Object.freeze({ timeout: 5 }), Object.assign(Object.create(null), { timeout: 5 })]) {
        assert.doesNotThrow(() => read(options));
      }
    });
  }

  it('are copied: what the caller changes afterwards changes nothing', () => {
    const given = { timeout: 5, unique: 'u' };
    const options = readSubmitOptions(given, 'doBackground', 'normal', SETTINGS);
    given.timeout = 6;
    assert.deepEqual([options.timeout, options.unique], [5, 'u']);
    const request = { timeout: 5 };
    assert.notEqual(readRequestOptions(request, 'jobStatus', SETTINGS), request);
    assert.notEqual(readWatchOptions(request), request);
    assert.notEqual(readCloseOptions(request), request);
  });

  it('that are inherited are the same as own ones', () => {
    const given = { unique: 'u', priority: 'high', timeout: 5, resubmit: true };
    assert.deepEqual(readJob(Object.create(given)), readJob(given));
    assert.deepEqual(readClientOptions({ backoff: Object.create({ min: 7 }) as object }).backoff, {
      min: 7,
      max: 10_000,
    });
    const client = { timeout: 7, maxInFlight: 3 };
    assert.deepEqual(readClientOptions(Object.create(client) as object), readClientOptions(client));
  });

  for (const name of ['jobStatus', 'doBackground', 'submitBackground']) {
    const read = READERS[name] ?? assert.fail();

    it(`of ${name} may name a server`, () => {
      assert.doesNotThrow(() => read({ server: 'a:4730' }));
      for (const [server, kind] of [
        [7, 'number'],
        [null, 'null'],
        [{ host: 'a' }, 'an object'],
      ] as const) {
        refuses(() => read({ server }), new RegExp(`option server must be the name of a job server, not ${kind}`));
      }
    });

    it(`of ${name} may not name a server of no name`, () => {
      refuses(() => read({ server: '' }), /option server .*(empty|name of a job server)/);
    });
  }

  for (const name of ['jobStatus', 'doBackground', 'submitBackground', 'watch']) {
    const read = READERS[name] ?? assert.fail();

    it(`of ${name} may have a signal, also one of another realm`, () => {
      const foreign = runInNewContext(
        '({ aborted: false, addEventListener() {}, removeEventListener() {} })',
      ) as unknown;
      for (const signal of [AbortSignal.abort(), new AbortController().signal, foreign]) {
        assert.doesNotThrow(() => read({ signal }));
      }
      for (const [signal, kind] of [
        [new AbortController(), 'an object'],
        ['abort', 'string'],
        [null, 'null'],
        [true, 'boolean'],
      ] as const) {
        refuses(() => read({ signal }), new RegExp(`option signal must be an AbortSignal, not ${kind}`));
      }
    });
  }
});

describe('what is no signal', () => {
  /** Nothing stays pending. */
  const LIMIT = { timeout: 10_000 };
  const [add, remove] = [{ addEventListener() {} }, { removeEventListener() {} }];
  const shapes: Readonly<Record<string, object>> = {
    'has no removeEventListener': { aborted: false, ...add },
    'has no addEventListener': { aborted: false, ...remove },
    'has no aborted': { ...add, ...remove },
    'has an addEventListener that is no function': { aborted: false, addEventListener: 1, ...remove },
    'has a removeEventListener that is no function': { aborted: false, ...add, removeEventListener: null },
    'has an aborted that is neither true nor false': { aborted: 0, ...add, ...remove },
    'can be listened to only': new EventTarget(),
  };
  for (const [what, signal] of Object.entries(shapes)) {
    it(`because it ${what} is refused by all that take one`, () => {
      for (const name of ['jobStatus', 'doBackground', 'submitBackground', 'watch']) {
        refuses(() => READERS[name]?.({ signal }), /^The option signal must be an AbortSignal, not an object\.$/);
      }
    });

    it(`because it ${what} leaves nothing outstanding, and the others alone`, LIMIT, async (t) => {
      const { client, connection } = await proven(t);
      const good = client.doBackground('f', 'w');
      const options = { signal: signal as AbortSignal };
      for (const call of [
        client.doBackground('f', 'w', options),
        client.submitBackground('f', 'w', options),
        client.jobStatus('H:1', options),
        client.jobStatusByUnique('u', options),
        client.ping(options),
      ]) {
        await rejection(call, 'GEARMAN_INVALID_ARGUMENT');
      }
      await connection.received(2);
      connection.send(jobCreated('H:1'));
      assert.equal(await good, 'H:1');
      await client.close();
      assert.equal(connection.requests.length, 2);
    });
  }

  /** A signal as far as can be seen, which throws when it is used. */
  const broken = (): AbortSignal => {
    const signal = {
      aborted: false,
      addEventListener: () => {
        throw new TypeError('not today');
      },
      removeEventListener: () => undefined,
    };
    return signal as unknown as AbortSignal;
  };

  it('because nobody can listen to it fails its own call alone, which is not outstanding then', LIMIT, async (t) => {
    const { client, connection } = await proven(t);
    const good = client.doBackground('f', 'w');
    for (const call of [
      client.doBackground('f', 'w', { signal: broken() }),
      client.submitBackground('f', 'w', { signal: broken() }),
      client.jobStatus('H:proof', { signal: broken() }),
      client.ping({ signal: broken() }),
    ]) {
      await assert.rejects(call, new TypeError('not today'));
    }
    await connection.received(2);
    connection.send(jobCreated('H:1'));
    assert.equal(await good, 'H:1');
    await client.close();
    assert.equal(connection.requests.length, 2);
  });

  it('because nobody can listen to it fails each call that it is given to, not only the first', async (t) => {
    const { client } = await proven(t);
    const signal = broken();
    for (let count = 0; count < 2; count++) {
      const call = client.doBackground('f', 'w', { signal }).catch((error: unknown) => error);
      const outcome: unknown = await Promise.race([call, settleDown()]);
      assert.deepEqual(outcome, new TypeError('not today'), `call ${count}`);
    }
  });
});

describe('a job', () => {
  it('takes all of its options', () => {
    const options = {
      ...{ timeout: 1, signal: AbortSignal.abort(), server: 'a:1', unique: 'u', at: new Date(0), reducer: 'r' },
      ...{ resubmit: false, priority: 'high' },
    } as const;
    assert.deepEqual(readJob(options), options);
  });

  it('has a priority where the method does not say it', () => {
    for (const priority of ['high', 'normal', 'low', undefined]) assert.doesNotThrow(() => readJob({ priority }));
    for (const priority of ['High', '', 0, null]) {
      refuses(() => readJob({ priority }), /option priority is 'high', 'normal' or 'low'/);
    }
  });

  it('has none where it does', () => {
    for (const [method, priority] of [
      ['doBackground', 'normal'],
      ['doHighBackground', 'high'],
      ['doLowBackground', 'low'],
    ] as const) {
      refuses(
        () => readSubmitOptions({ priority }, method, priority, SETTINGS),
        new RegExp(
          `^${method} has no option 'priority', only timeout, signal, server, unique, at, reducer, resubmit\\.$`,
        ),
      );
      // One that is not listed among the keys, as of a class, is not seen, and must not have its way.
      const hidden = Object.defineProperty({}, 'priority', { value: 'low' });
      assert.equal(readSubmitOptions(hidden, method, priority, SETTINGS).priority, priority);
    }
  });

  it('has a unique ID under the rules for these', () => {
    for (const unique of ['', '-', 'u'.repeat(63)]) assert.doesNotThrow(() => readJob({ unique }));
    refuses(() => readJob({ unique: '#' }), /uniqueFor/);
    refuses(() => readJob({ unique: 'a\0' }), /NUL/);
    refuses(() => readJob({ unique: 7 }), /The unique ID must be a string, not number/);
    refuses(() => readJob({ unique: null }), /not null/);
    refuses(() => readJob({ unique: 'ü'.repeat(32) }), /64 bytes/, 'GEARMAN_ARGUMENT_TOO_LARGE');
  });

  it('has a time that is a Date, also one of another realm', () => {
    const foreign = runInNewContext('new Date(1e12)') as unknown;
    for (const at of [new Date(), new Date(0), foreign]) assert.doesNotThrow(() => readJob({ at }));
    for (const at of [new Date(NaN), new Date(-1), 1e12, '2030-01-01', null, {}]) {
      refuses(() => readJob({ at }), /^The option at must be a valid Date after 1970\.$/);
    }
  });

  it('has a reducer under the rules for function names', () => {
    assert.doesNotThrow(() => readJob({ reducer: 'sum' }));
    refuses(() => readJob({ reducer: '' }), /^The option reducer is empty/);
    refuses(() => readJob({ reducer: 'a\0' }), /^The option reducer contains a NUL/);
    refuses(() => readJob({ reducer: 'x'.repeat(512) }), /^The option reducer has 512/, 'GEARMAN_ARGUMENT_TOO_LARGE');
  });

  it('has a resubmit of its own, true or false', () => {
    for (const resubmit of [true, false, undefined]) assert.doesNotThrow(() => readJob({ resubmit }));
    refuses(() => readJob({ resubmit: 'yes' }), /option resubmit must be true or false, not string/);
    refuses(() => readJob({ resubmit: null }), /not null/);
  });
});
