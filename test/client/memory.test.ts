/** What a client lets go of, although its connection lives and the place of a call in the order of answers stays. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { GearmanClient } from '../../src/client/client.js';
import type { SubmitOptions } from '../../src/client/options.js';
import type { PingResult } from '../../src/client/ping.js';
import { GearmanError, type GearmanErrorCode } from '../../src/errors.js';
import { clientOf, proven, rejection, stateOf, type Proven } from '../support/client.js';
import { Peer, jobCreated, serve } from '../support/peer.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Those of the objects that something holds on to. */
async function held(objects: Readonly<Record<string, WeakRef<object>>>): Promise<string[]> {
  // What a WeakRef was made of lives until the turn ends.
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  return Object.keys(objects).filter((name) => objects[name]?.deref() !== undefined);
}

/** How a call ends, and what the test does for it. */
interface Way {
  readonly code: GearmanErrorCode;
  readonly options: SubmitOptions;
  readonly end: (proven: Proven, abort: AbortController) => void;
}

const WAYS: Readonly<Record<string, Way>> = {
  'times out': { code: 'GEARMAN_TIMEOUT', options: { timeout: 5 }, end: ({ clock }) => clock.advance(5) },
  'is aborted': { code: 'GEARMAN_ABORTED', options: {}, end: (_proven, abort) => abort.abort() },
};

/** Makes a call, ends it, and returns what there was of it, weakly. `written`: how many requests have come then. */
async function endOne(pool: Proven, { code, options, end }: Way, written: number) {
  const abort = new AbortController();
  const workload = Buffer.alloc(20_000);
  const call = pool.client.doBackground('f', workload, { unique: 'u', signal: abort.signal, ...options });
  const outcome = rejection(call, code);
  await pool.connection.received(written);
  end(pool, abort);
  const error = await outcome;
  const parts = { error, call, workload };
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, new WeakRef<object>(part)]));
}

describe('a call that is over', () => {
  for (const [how, way] of Object.entries(WAYS)) {
    it(`because it ${how} leaves its place in the order of answers, and holds neither its error nor its workload`, async (t) => {
      const pool = await proven(t, { heartbeat: Infinity });
      const parts = await endOne(pool, way, 2);
      assert.deepEqual(await held(parts), []);
      assert.notEqual(stateOf(pool.client, pool.peer).inFlight, 0);
    });

    it(`because it ${how} before it was written leaves its place in the queue, and holds neither its error nor its workload`, async (t) => {
      const pool = await proven(t, { heartbeat: Infinity, maxInFlight: 1 });
      const [first, second] = [pool.client.doBackground('f', 'first'), pool.client.doBackground('f', 'second')];
      const parts = await endOne(pool, way, 2);
      assert.deepEqual(await held(parts), []);
      pool.connection.send(jobCreated('H:1'));
      await pool.connection.received(3);
      pool.connection.send(jobCreated('H:2'));
      assert.deepEqual([await first, await second], ['H:1', 'H:2']);
    });
  }
});

/** Likewise for a question or a ping, which has no workload. */
async function endOther({ client, clock, connection }: Proven, ask: (client: GearmanClient) => Promise<unknown>) {
  const call = ask(client).then(
    (results) => (results as PingResult[])[0]?.error,
    (error: unknown) => error,
  );
  await connection.received(2);
  clock.advance(5);
  const error = await call;
  assert.equal(error instanceof GearmanError, true);
  return { error: new WeakRef(error as object) };
}

describe('a question or a ping that has timed out', () => {
  for (const [name, ask] of [
    ['jobStatus', (client: GearmanClient) => client.jobStatus('H:proof', { timeout: 5 })],
    ['jobStatusByUnique', (client: GearmanClient) => client.jobStatusByUnique('u', { timeout: 5 })],
    ['ping', (client: GearmanClient) => client.ping({ timeout: 5 })],
  ] as const) {
    it(`leaves its place in the order of answers, and does not hold its error: ${name}`, async (t) => {
      const pool = await proven(t, { heartbeat: Infinity });
      const parts = await endOther(pool, ask);
      assert.deepEqual(await held(parts), []);
      assert.notEqual(stateOf(pool.client, pool.peer).inFlight, 0);
    });
  }
});

describe("the store of the caller's AsyncLocalStorage context", () => {
  async function callOnce(t: TestContext): Promise<unknown> {
    const peer = await Peer.start(t, serve);
    const args = ['--expose-gc', '--import', 'tsx', 'test/support/context.ts', peer.name];
    // Coverage would be measured, too, and holds on to what it likes.
    const env = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' };
    const cwd = new URL('../..', import.meta.url);
    return JSON.parse((await promisify(execFile)(process.execPath, args, { cwd, env })).stdout);
  }

  it('is let go of while the connection lives that his call has opened', async (t) => {
    assert.deepEqual(await callOnce(t), { state: 'up', isCollected: true });
  });
});

describe('a function name', () => {
  /** Of a name that is a piece of a long text, which nobody else holds. */
  async function submitPiece(client: GearmanClient): Promise<void> {
    await client.doBackground('x'.repeat(LONG).slice(0, 20), 'w');
  }
  const LONG = 64 * 1024 * 1024;

  it('that was cut out of a long text does not keep that', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    await client.doBackground('f', 'w');
    const used = (): number => process.memoryUsage().heapUsed;
    collectGarbage();
    const before = used();
    await submitPiece(client);
    await held({});
    assert.ok(used() - before < LONG / 2, `${used() - before} bytes are kept`);
  });
});
