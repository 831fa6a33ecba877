/** What can be watched from outside, and that nothing happens while nobody watches. */
import assert from 'node:assert/strict';
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { describe, it, type TestContext } from 'node:test';
import { format } from 'node:util';
import createDebug from 'debug';
import { debug, isSubmitTraced, publishState, traceStatus, traceSubmit, type SubmitTrace } from '../src/observe.js';

const PARTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
type Part = (typeof PARTS)[number];

/** Subscribes to parts of a tracing channel as long as the test lasts; returns what they are told. */
function trace(t: TestContext, name: string, parts: readonly Part[] = PARTS): [Part, Record<string, unknown>][] {
  const told: [Part, Record<string, unknown>][] = [];
  for (const part of parts) {
    const listener = (message: unknown): void => {
      told.push([part, { ...(message as object) }]);
    };
    subscribe(`tracing:${name}:${part}`, listener);
    t.after(() => unsubscribe(`tracing:${name}:${part}`, listener));
  }
  return told;
}

describe('debug', () => {
  for (const name of ['client', 'pool', 'connection'] as const) {
    it(`prints gearman:${name} only when that is switched on`, (t) => {
      const lines: string[] = [];
      const { log } = createDebug;
      createDebug.log = (...values: unknown[]) => void lines.push(format(...values));
      t.after(() => {
        createDebug.log = log;
        createDebug.disable();
      });
      createDebug.disable();
      debug[name]('before %s', 'it');
      createDebug.enable(`gearman:${name}`);
      debug[name]('%d calls to %s', 2, 'a:4730');
      createDebug.disable();
      debug[name]('after %s', 'it');
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? '', new RegExp(`gearman:${name}.*2 calls to a:4730`));
    });
  }
});

describe('the tracing channel gearman:submit', () => {
  const context = (): SubmitTrace => ({ function: 'reverse', unique: 'u' });

  it('is not traced while nobody listens', () => {
    assert.equal(isSubmitTraced(), false);
  });

  for (const part of PARTS) {
    it(`is traced when somebody listens to ${part} alone, until he stops`, () => {
      const listener = (): void => undefined;
      subscribe(`tracing:gearman:submit:${part}`, listener);
      assert.equal(isSubmitTraced(), true);
      unsubscribe(`tracing:gearman:submit:${part}`, listener);
      assert.equal(isSubmitTraced(), false);
    });
  }

  it('is told what is submitted, and then the handle and the server', async (t) => {
    const told = trace(t, 'gearman:submit');
    const handle = await traceSubmit(context(), async (submission) => {
      await Promise.resolve();
      submission.handle = 'H:1';
      submission.server = 'a:4730';
      return 'H:1';
    });
    assert.equal(handle, 'H:1');
    assert.deepEqual(
      told.map(([part]) => part),
      ['start', 'end', 'asyncStart', 'asyncEnd'],
    );
    assert.deepEqual(told[0]?.[1], context());
    assert.deepEqual(told[2]?.[1], { ...context(), handle: 'H:1', server: 'a:4730', result: 'H:1' });
  });

  it('is told why it failed, and the call fails with that', async (t) => {
    const told = trace(t, 'gearman:submit', ['error']);
    const error = new Error('refused');
    await assert.rejects(
      traceSubmit(context(), () => Promise.reject(error)),
      error,
    );
    assert.deepEqual(told, [['error', { ...context(), error }]]);
  });
});

describe('the tracing channel gearman:status', () => {
  it('is told what is asked for, and the answer', async (t) => {
    const told = trace(t, 'gearman:status');
    const answer = [true, false, 0, 0];
    assert.equal(await traceStatus('H:1', () => Promise.resolve(answer)), answer);
    assert.deepEqual(
      told.map(([part]) => part),
      ['start', 'end', 'asyncStart', 'asyncEnd'],
    );
    assert.deepEqual(told[0]?.[1], { key: 'H:1' });
    assert.deepEqual(told[3]?.[1], { key: 'H:1', result: answer });
  });

  it('costs nothing while nobody listens: the question is asked as it is', () => {
    const promise = Promise.resolve('answer');
    assert.equal(
      traceStatus('H:1', () => promise),
      promise,
    );
  });

  it('is told why a question failed', async (t) => {
    const told = trace(t, 'gearman:status', ['error']);
    const error = new Error('lost');
    await assert.rejects(
      traceStatus('H:1', () => Promise.reject(error)),
      error,
    );
    assert.deepEqual(told, [['error', { key: 'H:1', error }]]);
  });

  it('is another one than gearman:submit', (t) => {
    const told = trace(t, 'gearman:status');
    assert.equal(isSubmitTraced(), false);
    assert.equal(tracingChannel('gearman:submit').start.hasSubscribers, false);
    assert.deepEqual(told, []);
  });
});

describe('the channel gearman:connection', () => {
  it('is told each change of state, and why where something failed', (t) => {
    const told: unknown[] = [];
    const listener = (message: unknown): void => void told.push(message);
    subscribe('gearman:connection', listener);
    t.after(() => unsubscribe('gearman:connection', listener));
    const messages = [
      { server: 'a:4730', state: 'connecting', error: undefined },
      { server: 'a:4730', state: 'waiting', error: new Error('refused') },
    ];
    for (const message of messages) publishState(message);
    assert.deepEqual(told, messages);
  });

  it('is told nothing while nobody listens', () => {
    assert.equal(channel('gearman:connection').hasSubscribers, false);
    assert.doesNotThrow(() => publishState({ server: 'a:4730', state: 'up', error: undefined }));
  });
});
