/** What a client leaves alone: the process, the caller's context and stack, other people's subscribers. And all of its errors. */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { describe, it, type TestContext } from 'node:test';
import type { GearmanClient } from '../../src/client/client.js';
import { ERROR_CODES, GearmanError, type GearmanErrorCode } from '../../src/errors.js';
import type { ConnectionMessage, StatusTrace, SubmitTrace } from '../../src/observe.js';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import { clientOf, collect, proven, rejection, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, dieOnRequest, errorPacket, freeze, jobCreated, serve, statusRes } from '../support/peer.js';
import { runScript, type Printed } from '../support/process.js';

const silent = (): void => undefined;

/** Runs a script in a process of its own, with `client` and `print` at hand. */
async function run(
  t: TestContext,
  script: string,
  { options, env }: { options: object; env?: Record<string, string> },
): Promise<Printed> {
  return runScript(t, `const client = new GearmanClient(${JSON.stringify(options)});${script}`, env);
}

describe('the process', { concurrency: 3 }, () => {
  it('ends while a connection is open and nothing is outstanding', async (t) => {
    const peer = await Peer.start(t, serve);
    const { lines } = await run(t, `print(await client.doBackground('f', 'w'));`, { options: { servers: peer.name } });
    assert.deepEqual(lines, ['H:peer:1', 'exit 0']);
  });

  it('ends likewise when the server was found at the second address of its name', async (t) => {
    const peer = await Peer.start(t, serve);
    const script = `print(await client.doBackground('f', 'w'));`;
    const { lines } = await run(t, script, { options: { servers: `localhost:${peer.port}` } });
    assert.deepEqual(lines, ['H:peer:1', 'exit 0']);
  });

  it('lives until a call that nobody awaits is answered', async (t) => {
    const peer = await Peer.start(t, (connection) => {
      connection.onRequest = () => {
        setTimeout(() => connection.send(jobCreated('H:late')), 300);
      };
    });
    const script = `client.doBackground('f', 'w').then(print);`;
    const { lines } = await run(t, script, { options: { servers: peer.name } });
    assert.deepEqual(lines, ['H:late', 'exit 0']);
  });

  it('lives until the deadline of a call that no server takes', async (t) => {
    const peer = await Peer.start(t);
    peer.refuse();
    const script = `client.doBackground('f', 'w').catch((error) => print(error.code));`;
    const options = { servers: peer.name, timeout: 400, backoff: { min: 10_000, max: 10_000 } };
    assert.deepEqual((await run(t, script, { options })).lines, ['GEARMAN_COULD_NOT_CONNECT', 'exit 0']);
  });

  it('ends in the pause after a failure when nothing is outstanding', async (t) => {
    const peer = await Peer.start(t, freeze);
    const script = `
      await client.doBackground('f', 'w', { timeout: 200 }).catch((error) => print(error.code));
      print(client.servers[0].inFlight);`;
    const { lines } = await run(t, script, { options: { servers: peer.name, heartbeat: 60_000 } });
    assert.deepEqual(lines, ['GEARMAN_TIMEOUT', '1', 'exit 0']);
  });

  it('lives while a watch pauses, and ends when it is left', async (t) => {
    const peer = await Peer.start(t, serve);
    peer.statuses.set('H:1', [true, true, 1, 2]);
    const script = `
      let count = 0;
      for await (const { numerator } of client.watch('H:1', { interval: 100 })) {
        print(numerator);
        if (++count === 2) break;
      }`;
    const run_ = run(t, script, { options: { servers: peer.name } });
    await (await peer.connection(0)).received(3);
    peer.statuses.set('H:1', [true, true, 2, 2]);
    assert.deepEqual((await run_).lines, ['1', '2', 'exit 0']);
  });

  it('prints what it does under debug, and never a workload', async (t) => {
    const peer = await Peer.start(t, serve);
    const script = `await client.doBackground('f', 'sesame'); await client.close();`;
    const noisy = await run(t, script, { options: { servers: peer.name }, env: { DEBUG: 'gearman:*' } });
    for (const part of ['gearman:connection', `${peer.name} is up`, 'gearman:client'])
      assert.ok(noisy.stderr.includes(part), `${part} in ${noisy.stderr}`);
    assert.ok(!noisy.stderr.includes('sesame'));
    const quiet = await run(t, script, { options: { servers: peer.name } });
    assert.equal(quiet.stderr, '');
  });

  it('sees what a subscriber throws, and the client does not', async (t) => {
    const peer = await Peer.start(t, serve);
    const script = `
      import { subscribe, tracingChannel } from 'node:diagnostics_channel';
      const thrown = new Set();
      process.on('uncaughtException', ({ message }) => thrown.add(message));
      const fail = (name) => () => { throw new Error(name); };
      subscribe('gearman:connection', fail('connection'));
      for (const name of ['submit', 'status']) {
        const events = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];
        tracingChannel('gearman:' + name).subscribe(Object.fromEntries(events.map((event) => [event, fail(name)])));
      }
      print((await Promise.all([1, 2, 3].map(() => client.doBackground('f', 'w')))).length);
      print(await client.jobStatus('H:peer:1'));
      await client.close();
      print([...thrown].sort());`;
    const { lines } = await run(t, script, { options: { servers: peer.name } });
    assert.deepEqual(lines, ['3', 'false,false,0,0', 'connection,status,submit', 'exit 0']);
    assert.equal(peer.connections.length, 1);
  });
});

describe('an error', () => {
  /** The line of the caller, by the name of his function. */
  async function theCallerOfThis(call: () => Promise<unknown>): Promise<void> {
    await call();
  }

  const failures: [name: string, call: (client: GearmanClient) => Promise<unknown>][] = [
    ['doBackground', (client) => client.doBackground('f', 'w')],
    ['doHighBackground', (client) => client.doHighBackground('f', 'w')],
    ['doLowBackground', (client) => client.doLowBackground('f', 'w')],
    ['submitBackground', (client) => client.submitBackground('f', 'w')],
    ['jobStatus', (client) => client.jobStatus('H:1')],
    ['jobStatusByUnique', (client) => client.jobStatusByUnique('u')],
    ['watch', (client) => collect(client.watch('H:1'))],
  ];
  for (const [name, call] of failures) {
    it(`of ${name} carries the line of the caller when the server is at fault`, async (t) => {
      const peer = await Peer.start(t, (connection) => {
        connection.onRequest = () => connection.send(errorPacket());
      });
      const client = clientOf(t, [peer]);
      const error = await rejection(
        theCallerOfThis(() => call(client)),
        'GEARMAN_SERVER_ERROR',
      );
      assert.match(error.stack ?? '', /theCallerOfThis/);
      assert.ok(error.stack?.startsWith(`${error.name}: ${error.message}`), error.stack);
    });

    it(`of ${name} carries it when the client is closed`, async (t) => {
      const client = clientOf(t, [await Peer.start(t)]);
      await client.close();
      const error = await rejection(
        theCallerOfThis(() => call(client)),
        'GEARMAN_SHUTDOWN',
      );
      assert.match(error.stack ?? '', /theCallerOfThis/);
    });
  }

  for (const [what, script, code, options] of [
    ['lost connection', dieOnRequest, 'GEARMAN_LOST_CONNECTION', {}],
    ['timeout', silent, 'GEARMAN_TIMEOUT', { timeout: 50 }],
  ] as const) {
    it(`of a ${what} carries it`, async (t) => {
      const client = clientOf(t, [await Peer.start(t, script)], options);
      const error = await rejection(
        theCallerOfThis(() => client.doBackground('f', 'w')),
        code,
      );
      assert.match(error.stack ?? '', /theCallerOfThis/);
    });
  }

  it('of bad input and of an abort carries it', async (t) => {
    const client = clientOf(t, [await Peer.start(t)]);
    const wrong = await rejection(
      theCallerOfThis(() => client.doBackground('', 'w')),
      'GEARMAN_INVALID_ARGUMENT',
    );
    assert.match(wrong.stack ?? '', /theCallerOfThis/);
    const abort = new AbortController();
    const aborted = rejection(
      theCallerOfThis(() => client.doBackground('f', 'w', { signal: abort.signal })),
      'GEARMAN_ABORTED',
    );
    abort.abort();
    assert.match((await aborted).stack ?? '', /theCallerOfThis/);
  });
});

describe('diagnostics_channel', () => {
  /** Collects the messages of a tracing channel, as the names of its events, and copies of their contexts. */
  function trace(t: TestContext, name: string) {
    const events: string[] = [];
    const contexts: Partial<SubmitTrace & StatusTrace & { error: Error }>[] = [];
    const note = (event: string) => (context: unknown) => {
      events.push(event);
      contexts.push({ ...(context as object) });
    };
    const handlers = {
      start: note('start'),
      end: note('end'),
      asyncStart: note('asyncStart'),
      asyncEnd: note('asyncEnd'),
      error: note('error'),
    };
    const traced = tracingChannel(name);
    traced.subscribe(handlers);
    t.after(() => traced.unsubscribe(handlers));
    return { events, contexts };
  }

  it('gearman:submit traces a submission', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer], { prefix: 'p:' });
    const { events, contexts } = trace(t, 'gearman:submit');
    await client.doBackground('f', 'sesame', 'u');
    assert.deepEqual(events, ['start', 'end', 'asyncStart', 'asyncEnd']);
    assert.deepEqual(contexts[0], { function: 'f', unique: 'u' });
    const { function: name, unique, handle, server } = contexts[2] ?? {};
    assert.deepEqual([name, unique, handle, server], ['f', 'u', 'H:peer:1', peer.name]);
    assert.doesNotMatch(JSON.stringify(contexts), /sesame/);
    assert.equal((await client.submitBackground('f', 'w')).handle, 'H:peer:2');
  });

  it('gearman:submit traces one that fails, and the error still has the line of the caller', async (t) => {
    const peer = await Peer.start(t, dieOnRequest);
    const { events, contexts } = trace(t, 'gearman:submit');
    const theCaller = async (): Promise<unknown> => clientOf(t, [peer]).doBackground('f', 'w', 'u');
    const error = await rejection(theCaller(), 'GEARMAN_LOST_CONNECTION');
    assert.deepEqual(events, ['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    assert.equal(contexts[2]?.error, error);
    assert.equal(contexts[2].unique, 'u');
  });

  it('gearman:status traces a question', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    const { events, contexts } = trace(t, 'gearman:status');
    await client.jobStatus('H:1');
    await client.jobStatusByUnique('u');
    assert.deepEqual(events, [
      ...['start', 'end', 'asyncStart', 'asyncEnd'],
      ...['start', 'end', 'asyncStart', 'asyncEnd'],
    ]);
    assert.deepEqual([contexts[0]?.key, contexts[4]?.key], ['H:1', 'u']);
  });

  it('gearman:connection tells every change of state, and why', async (t) => {
    const messages: ConnectionMessage[] = [];
    const listen = (message: unknown): void => void messages.push(message as ConnectionMessage);
    subscribe('gearman:connection', listen);
    t.after(() => unsubscribe('gearman:connection', listen));
    const [peer, other] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const clock = new Clock();
    const client = clientOf(t, [peer, other], {}, clock);
    await client.doBackground('f', 'w');
    peer.crash();
    await untilState(client, peer, 'idle');
    await client.doBackground('f', 'w');
    clock.advance(50);
    client.removeServer(peer.name);
    const ofPeer = messages.filter(({ server }) => server === peer.name);
    assert.deepEqual(
      ofPeer.map(({ state }) => state),
      ['connecting', 'proving', 'up', 'idle', 'connecting', 'paused', 'idle', 'closed'],
    );
    assert.deepEqual(
      ofPeer.map(({ error }) => (error as GearmanError | undefined)?.code),
      [
        ...[undefined, undefined, undefined, 'GEARMAN_LOST_CONNECTION'],
        ...[undefined, 'GEARMAN_COULD_NOT_CONNECT', undefined, undefined],
      ],
    );
  });

  it('costs nothing when nobody listens', () => {
    assert.equal(channel('gearman:connection').hasSubscribers, false);
  });
});

describe("the caller's AsyncLocalStorage context", () => {
  it('is his own after each call, and is not kept by sockets and timers', async (t) => {
    const storage = new AsyncLocalStorage<string>();
    const seen = new Map<string, string | undefined>();
    const listen = (message: unknown): void => void seen.set((message as ConnectionMessage).state, storage.getStore());
    subscribe('gearman:connection', listen);
    t.after(() => unsubscribe('gearman:connection', listen));
    const peer = await Peer.start(t, serve, dieOnRequest, serve);
    const client = clientOf(t, [peer], { backoff: { min: 1, max: 1 } });
    await storage.run('first', async () => {
      await client.doBackground('f', 'w');
      assert.equal(storage.getStore(), 'first');
    });
    assert.deepEqual([seen.get('proving'), seen.get('up')], [undefined, undefined]);

    peer.connections[0]?.reset();
    await untilState(client, peer, 'idle');
    assert.equal(seen.get('idle'), undefined);
    await storage.run('second', async () => {
      await rejection(client.doBackground('f', 'w'), 'GEARMAN_LOST_CONNECTION');
      assert.equal(storage.getStore(), 'second');
    });
    seen.clear();
    // The pause ends by a timer that the second call started.
    await storage.run('third', async () => {
      await client.doBackground('f', 'w');
      assert.equal(storage.getStore(), 'third');
    });
    assert.deepEqual(
      [...seen],
      [
        ['idle', undefined],
        ['connecting', undefined],
        ['proving', undefined],
        ['up', undefined],
      ],
    );
  });
});

describe('ERROR_CODES', () => {
  /** How to come by each code, from outside. */
  const ways: Record<GearmanErrorCode, (t: TestContext) => Promise<unknown>> = {
    GEARMAN_INVALID_ARGUMENT: async (t) => clientOf(t, [await Peer.start(t)]).doBackground('', 'w'),
    GEARMAN_ARGUMENT_TOO_LARGE: async (t) => clientOf(t, [await Peer.start(t)]).doBackground('f'.repeat(512), 'w'),
    GEARMAN_NO_SERVERS: async (t) => {
      const peer = await Peer.start(t);
      return clientOf(t, [peer]).removeServer(peer.name).doBackground('f', 'w');
    },
    GEARMAN_COULD_NOT_CONNECT: async (t) => {
      const peer = await Peer.start(t);
      peer.refuse();
      return clientOf(t, [peer], { timeout: 50 }).doBackground('f', 'w');
    },
    GEARMAN_LOST_CONNECTION: async (t) => clientOf(t, [await Peer.start(t, dieOnRequest)]).doBackground('f', 'w'),
    GEARMAN_TIMEOUT: async (t) => clientOf(t, [await Peer.start(t, silent)], { timeout: 50 }).doBackground('f', 'w'),
    GEARMAN_SERVER_ERROR: (t) => answered(t, errorPacket()),
    GEARMAN_AMBIGUOUS_HANDLE: async (t) => {
      const peers = [await Peer.start(t, serve), await Peer.start(t, serve)];
      for (const { statuses } of peers) statuses.set('H:1', [true, true, 1, 2]);
      return clientOf(t, peers).jobStatus('H:1');
    },
    GEARMAN_ABORTED: async (t) =>
      clientOf(t, [await Peer.start(t)]).doBackground('f', 'w', { signal: AbortSignal.abort() }),
    GEARMAN_SHUTDOWN: async (t) => {
      const { client } = await proven(t);
      client.destroy();
      return client.ping();
    },
    GEARMAN_INVALID_MAGIC: (t) => answered(t, Buffer.from('HTTP/1.1 400 Bad Request\r\n')),
    GEARMAN_INVALID_COMMAND: (t) => answered(t, Buffer.from('\0RES\0\0\0\x63\0\0\0\0', 'latin1')),
    GEARMAN_INVALID_PACKET: (t) => answered(t, Buffer.from('\0RES\0\0\0\x13\0\0\0\x01a', 'latin1')),
    GEARMAN_UNEXPECTED_PACKET: (t) => answered(t, statusRes('H:1')),
    GEARMAN_DATA_TOO_LARGE: (t) => answered(t, encode('RES', TYPE.WORK_DATA, ['H:1'], Buffer.alloc(20_000))),
  };

  /** A submission that is answered with these bytes. */
  async function answered(t: TestContext, bytes: Buffer): Promise<unknown> {
    const peer = await Peer.start(t, (connection) => {
      connection.onRequest = () => connection.send(bytes);
    });
    return clientOf(t, [peer], { maxPacketSize: 1000 }).doBackground('f', 'w');
  }

  it('has a way to each', () => {
    assert.deepEqual(Object.keys(ways), Object.keys(ERROR_CODES));
  });

  for (const [code, provoke] of Object.entries(ways)) {
    it(`${code} is met`, async (t) => {
      const error: unknown = await provoke(t).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof GearmanError, String(error));
      const codes = [error.code, error.cause instanceof GearmanError ? error.cause.code : undefined];
      assert.ok(codes.includes(code as GearmanErrorCode), String(codes));
    });
  }
});
