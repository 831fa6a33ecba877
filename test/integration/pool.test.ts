/** Pools of real job servers: one unique ID is one job, handles collide, servers die and come back. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { GearmanClient, GearmanError, type GearmanClientOptions } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { SteppedWorker } from '../support/stepped-worker.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url);

const startAll = (t: TestContext, count: number): Promise<Gearmand[]> =>
  Promise.all(Array.from({ length: count }, () => Gearmand.start(t)));

function poolOf(t: TestContext, servers: readonly Gearmand[], options: GearmanClientOptions = {}): GearmanClient {
  const client = new GearmanClient({
    servers: servers.map(({ name }) => name),
    heartbeat: 300,
    timeout: 30_000,
    backoff: { min: 5, max: 50 },
    ...options,
  });
  t.after(() => {
    client.destroy();
  });
  return client;
}

describe('two servers on hosts of the same name', () => {
  it('issue the same handles, which are told apart', async (t) => {
    const [a, b] = await startAll(t, 2);
    assert.ok(a && b);
    const client = poolOf(t, [a, b]);
    const [onA, onB] = await Promise.all([a, b].map(({ name }) => client.submitBackground('f', 'w', { server: name })));
    assert.ok(onA && onB);
    assert.equal(onA.handle, onB.handle);
    const ambiguous = { code: 'GEARMAN_AMBIGUOUS_HANDLE' };
    await assert.rejects(client.jobStatus(onA.handle), ambiguous);
    await assert.rejects(poolOf(t, [a, b]).jobStatus(onA.handle), ambiguous, 'also from another client');
    assert.deepEqual(await client.jobStatus(onA.id), [true, false, 0, 0]);
    assert.deepEqual(await client.jobStatus(onA.handle, { server: b.name }), [true, false, 0, 0]);
    assert.deepEqual(await onB.status(), [true, false, 0, 0]);
  });
});

describe('one unique ID with two functions', () => {
  it('may be two jobs on two servers, which are told apart by the server', async (t) => {
    const [a, b] = await startAll(t, 2);
    assert.ok(a && b);
    const client = poolOf(t, [a, b]);
    await client.doBackground('f', 'w', { unique: 'id', server: a.name });
    await client.doBackground('g', 'w', { unique: 'id', server: b.name });
    await assert.rejects(client.jobStatusByUnique('id'), { code: 'GEARMAN_AMBIGUOUS_HANDLE' });
    assert.deepEqual(await client.jobStatusByUnique('id', { server: b.name }), [true, false, 0, 0, 0]);
  });
});

describe('three servers', () => {
  it('hold one job for a unique ID that several processes submit, each with its own order of the list', async (t) => {
    const servers = await startAll(t, 3);
    const [a, b, c] = servers.map(({ name }) => name);
    const lists = [`${a},${b},${c}`, `${c},${a},${b}`, `${b},${c},${a}`];
    const submit = (list: string): Promise<{ stdout: string }> =>
      run(process.execPath, ['--import', 'tsx', 'test/support/submit.ts', list, 'f', 'one-id', '50'], { cwd: root });
    const outputs = await Promise.all(lists.map(submit));
    const ids = outputs.flatMap(({ stdout }) => stdout.trim().split('\n'));
    assert.equal(ids.length, 150);
    assert.equal(new Set(ids).size, 1);
    const counts = await Promise.all(servers.map((server) => server.countJobs('f')));
    assert.deepEqual(counts.sort(), [0, 0, 1]);
  });

  it('share generated unique IDs evenly', async (t) => {
    const servers = await startAll(t, 3);
    const client = poolOf(t, servers);
    await Promise.all(Array.from({ length: 3000 }, () => client.doBackground('f', 'w')));
    for (const server of servers) {
      const count = await server.countJobs('f');
      assert.ok(count > 850 && count < 1150, `${count} of 3000`);
    }
  });
});

/** A job as one side knows it. */
interface JobRecord {
  readonly handle: string;
  readonly unique: string;
  readonly workload: string;
}

/** What became of 10,000 submissions, one of whose two servers failed on the way. */
interface Outcome {
  /** By the name of the server that acknowledged them. */
  readonly acknowledged: Map<string, JobRecord[]>;
  readonly errors: GearmanError[];
}

async function submitWhile(client: GearmanClient, fail: () => void): Promise<Outcome> {
  const acknowledged = new Map(client.servers.map(({ name }) => [name, [] as JobRecord[]]));
  const errors: GearmanError[] = [];
  let count = 0;
  const calls = Array.from({ length: 10_000 }, async (_, index) => {
    const workload = String(index);
    try {
      const { server, handle, unique } = await client.submitBackground('f', workload);
      acknowledged.get(server)?.push({ handle, unique, workload });
      if (++count === 2000) fail();
    } catch (error) {
      assert.ok(error instanceof GearmanError);
      errors.push(error);
    }
  });
  await Promise.all(calls);
  assert.equal(count + errors.length, 10_000);
  return { acknowledged, errors };
}

/** Takes all jobs that a server holds. */
async function drain(server: Gearmand): Promise<JobRecord[]> {
  const worker = new SteppedWorker(server.port, 'f');
  const jobs = await worker.drain();
  worker.close();
  return jobs.map(({ handle, unique, workload }) => ({ handle, unique, workload: workload.toString() }));
}

const sorted = (jobs: readonly JobRecord[] = []): JobRecord[] =>
  jobs.toSorted((a, b) => Number(a.workload) - Number(b.workload));

/** Submits until the server has got a job again. */
async function untilUsed(client: GearmanClient, server: Gearmand): Promise<void> {
  for (;;) {
    const job = await client.submitBackground('after', 'w');
    if (job.server === server.name) return;
  }
}

describe('when one of two servers fails in the middle of 10,000 submissions', () => {
  const kill = {
    fail: (server: Gearmand) => void server.kill(),
    mend: (server: Gearmand) => server.restart(),
  };
  const stop = {
    fail: (server: Gearmand) => void server.stop(),
    mend: (server: Gearmand) => {
      server.continue();
    },
  };

  it('and is killed (SIGKILL), every call settles, and what is acknowledged is what the survivor holds', async (t) => {
    const { victim, survivor, client } = await startTwo(t);
    const { acknowledged, errors } = await submitWhile(client, () => {
      kill.fail(victim);
    });
    assertAmbiguous(t, errors, victim);
    assert.deepEqual(sorted(await drain(survivor)), sorted(acknowledged.get(survivor.name)));
    await kill.mend(victim);
    await untilUsed(client, victim);
  });

  it('and is stopped (SIGSTOP), likewise, and it holds nothing that the survivor has', async (t) => {
    const { victim, survivor, client } = await startTwo(t);
    const { acknowledged, errors } = await submitWhile(client, () => {
      stop.fail(victim);
    });
    assertAmbiguous(t, errors, victim);
    assert.deepEqual(sorted(await drain(survivor)), sorted(acknowledged.get(survivor.name)));
    stop.mend(victim);
    await untilUsed(client, victim);
    const held = await drain(victim);
    const ambiguous = new Set(errors.map(({ unique }) => unique));
    const certain = held.filter(({ unique }) => !ambiguous.has(unique));
    assert.deepEqual(sorted(certain), sorted(acknowledged.get(victim.name)));
  });

  for (const [how, { fail, mend }] of Object.entries({ 'killed (SIGKILL)': kill, 'stopped (SIGSTOP)': stop })) {
    it(`and is ${how}, with resubmit every call resolves`, async (t) => {
      const { victim, survivor, client } = await startTwo(t, { resubmit: true });
      const { acknowledged, errors } = await submitWhile(client, () => {
        fail(victim);
      });
      assert.deepEqual(errors, []);
      assert.deepEqual(sorted(await drain(survivor)), sorted(acknowledged.get(survivor.name)));
      await mend(victim);
      await untilUsed(client, victim);
    });
  }

  async function startTwo(t: TestContext, options: GearmanClientOptions = {}) {
    const [victim, survivor] = await startAll(t, 2);
    assert.ok(victim && survivor);
    return { victim, survivor, client: poolOf(t, [victim, survivor], options) };
  }

  function assertAmbiguous(t: TestContext, errors: readonly GearmanError[], victim: Gearmand): void {
    t.diagnostic(`${errors.length} calls are ambiguous`);
    for (const { code, maybeSubmitted, server } of errors) {
      assert.deepEqual([code, maybeSubmitted, server], ['GEARMAN_LOST_CONNECTION', true, victim.name]);
    }
    assert.ok(errors.length <= 1024, `${errors.length} calls are ambiguous`);
  }
});

describe('a server that is stopped (SIGSTOP) before it is used', () => {
  it('costs the one call that finds out, and is used again when it goes on', async (t) => {
    const [frozen, other] = await startAll(t, 2);
    assert.ok(frozen && other);
    await frozen.stop();
    const client = poolOf(t, [frozen, other], { connectTimeout: 300, timeout: 2000 });
    const outcomes = await Promise.allSettled(Array.from({ length: 200 }, () => client.doBackground('f', 'w')));
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    assert.equal(errors.length, 1);
    assert.ok(errors[0] instanceof GearmanError);
    assert.equal(errors[0].maybeSubmitted, true);
    assert.equal(errors[0].server, frozen.name);
    assert.equal(await other.countJobs('f'), 199);
    frozen.continue();
    await untilUsed(client, frozen);
  });
});

describe('a server that is in doubt', () => {
  it('is waited for by a job whose unique ID may be there already', async (t) => {
    const servers = await startAll(t, 2);
    const client = poolOf(t, servers, { heartbeat: 5000 });
    const first = await client.submitBackground('f', 'w', { unique: 'id' });
    const home = servers.find(({ name }) => name === first.server);
    await home?.stop();
    // A call that times out is what raises the doubt.
    await assert.rejects(client.doBackground('f', 'w', { unique: 'id', timeout: 50 }), { code: 'GEARMAN_TIMEOUT' });
    const state = client.servers.find(({ name }) => name === first.server)?.state;
    assert.equal(state, 'suspect');
    const second = client.submitBackground('f', 'w', { unique: 'id' });
    const elsewhere = await client.submitBackground('f', 'w');
    assert.notEqual(elsewhere.server, first.server);
    home?.continue();
    assert.equal((await second).id, first.id);
  });
});

describe('a watch', () => {
  it('goes on while the server restarts, and tells that it does not know the job any more', async (t) => {
    const [server] = await startAll(t, 1);
    assert.ok(server);
    const client = poolOf(t, [server]);
    const job = await client.submitBackground('f', 'w');
    const seen: boolean[] = [];
    for await (const { known } of job.watch({ interval: 5 })) {
      seen.push(known);
      if (!known) break;
      await server.kill();
      await server.restart();
    }
    assert.deepEqual(seen, [true, false]);
  });
});

describe('when no server is up', () => {
  it('a call waits for the first that returns', async (t) => {
    const servers = await startAll(t, 3);
    const client = poolOf(t, servers);
    await Promise.all(servers.map((server) => server.kill()));
    const call = client.submitBackground('f', 'w');
    await failures(client, servers.length);
    const [first] = servers;
    await first?.restart();
    assert.equal((await call).server, first?.name);
    assert.equal(await first?.countJobs('f'), 1);
  });

  it('a call rejects at its deadline with the cause for each', async (t) => {
    const servers = await startAll(t, 2);
    const client = poolOf(t, servers, { timeout: 100 });
    await Promise.all(servers.map((server) => server.kill()));
    await assert.rejects(client.doBackground('f', 'w', 'id'), (error) => {
      assert.ok(error instanceof GearmanError);
      assert.equal(error.code, 'GEARMAN_COULD_NOT_CONNECT');
      assert.equal(error.maybeSubmitted, false);
      assert.equal(error.unique, 'id');
      for (const { name } of servers) assert.match(error.message, new RegExp(`ECONNREFUSED ${name}`));
      return true;
    });
  });

  /** Resolves when so many servers have failed. */
  async function failures(client: GearmanClient, count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const onChange = (): void => {
        if (client.servers.filter(({ lastError }) => lastError !== undefined).length < count) return;
        unsubscribe('gearman:connection', onChange);
        resolve();
      };
      subscribe('gearman:connection', onChange);
    });
  }
});

describe('when one of two servers is down', () => {
  it('the status of a job that the other one has is known, and that of any other is not made up', async (t) => {
    const [up, down] = await startAll(t, 2);
    assert.ok(up && down);
    const { handle, unique } = await poolOf(t, [up]).submitBackground('f', 'w');
    await down.kill();
    const client = poolOf(t, [up, down]);
    assert.deepEqual(await client.jobStatus(handle), [true, false, 0, 0]);
    assert.deepEqual(await client.jobStatusByUnique(unique), [true, false, 0, 0, 0]);
    const unknown = { code: 'GEARMAN_COULD_NOT_CONNECT', unreachable: [down.name] };
    await assert.rejects(client.jobStatus('H:unknown:1'), unknown);
    await assert.rejects(client.jobStatusByUnique('unknown'), unknown);
    await down.restart();
    const [echo] = await client.ping({ server: down.name });
    assert.equal(echo?.error, undefined);
    assert.deepEqual(await client.jobStatus('H:unknown:1'), [false, false, 0, 0]);
  });
});
