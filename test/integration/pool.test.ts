/** Pools of real job servers: one unique ID is one job, handles collide, servers die and come back. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { GearmanClient, GearmanError, type BackgroundJob } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url);

const startAll = (t: TestContext, count: number): Promise<Gearmand[]> =>
  Promise.all(Array.from({ length: count }, () => Gearmand.start(t)));

function poolOf(t: TestContext, servers: readonly Gearmand[]): GearmanClient {
  const client = new GearmanClient({ servers: servers.map(({ name }) => name), heartbeat: 500, timeout: 30_000 });
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

/** What became of 10,000 submissions, one of whose two servers failed on the way. */
interface Outcome {
  readonly jobs: BackgroundJob[];
  readonly errors: GearmanError[];
}

async function submitWhile(client: GearmanClient, fail: () => void): Promise<Outcome> {
  const jobs: BackgroundJob[] = [];
  const errors: GearmanError[] = [];
  const calls = Array.from({ length: 10_000 }, async () => {
    try {
      jobs.push(await client.submitBackground('f', 'w'));
      if (jobs.length === 2000) fail();
    } catch (error) {
      assert.ok(error instanceof GearmanError);
      errors.push(error);
    }
  });
  await Promise.all(calls);
  return { jobs, errors };
}

/** Submits until the server has got a job again. */
async function untilUsed(client: GearmanClient, server: Gearmand): Promise<void> {
  for (;;) {
    const job = await client.submitBackground('after', 'w');
    if (job.server === server.name) return;
  }
}

describe('when one of two servers fails in the middle of 10,000 submissions', () => {
  const failures = {
    'killed (SIGKILL)': {
      fail: (server: Gearmand) => void server.kill(),
      mend: (server: Gearmand) => server.restart(),
    },
    'stopped (SIGSTOP)': {
      fail: (server: Gearmand) => {
        server.stop();
      },
      mend: (server: Gearmand) => {
        server.continue();
      },
    },
  };
  for (const [how, { fail, mend }] of Object.entries(failures)) {
    it(`and is ${how}: every call settles, and what is acknowledged is what the survivor holds`, async (t) => {
      const [victim, survivor] = await startAll(t, 2);
      assert.ok(victim && survivor);
      const client = poolOf(t, [victim, survivor]);
      const { jobs, errors } = await submitWhile(client, () => {
        fail(victim);
      });
      assert.equal(jobs.length + errors.length, 10_000);
      for (const { code, maybeSubmitted, server } of errors) {
        assert.deepEqual([code, maybeSubmitted, server], ['GEARMAN_LOST_CONNECTION', true, victim.name]);
      }
      assert.ok(errors.length <= 1024, `${errors.length} calls are ambiguous`);
      const held = new Set((await survivor.ask('show jobs')).map((line) => line.split('\t')[0]));
      const acknowledged = jobs.filter(({ server }) => server === survivor.name).map(({ handle }) => handle);
      assert.deepEqual(held, new Set(acknowledged));
      assert.equal(held.size, acknowledged.length);
      await mend(victim);
      await untilUsed(client, victim);
    });
  }
});
