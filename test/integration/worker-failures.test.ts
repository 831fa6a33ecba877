/** What becomes of a worker's jobs when job servers and workers die, freeze and come back. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { GearmanError, type GearmanWorker } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { Hands } from '../support/hands.js';
import { Tally, clientOf, foregroundOf, onServer, startOn, workerOf } from '../support/workers.js';

const root = new URL('../..', import.meta.url);

describe('a job server that is killed (SIGKILL) and started again', () => {
  it('has the worker again, with its id and its functions, and its jobs run', async (t) => {
    const gearmand = await Gearmand.start(t);
    const worker = workerOf(t, [gearmand], { f: () => 'f', g: () => 'g' }, { id: 'phoenix' });
    await worker.start();
    for (let round = 0; round < 3; round++) {
      const lost = once(worker, 'disconnect');
      await gearmand.kill();
      const [server, error] = (await lost) as [string, GearmanError];
      assert.equal(server, gearmand.name);
      assert.equal(error.code, 'GEARMAN_LOST_CONNECTION');
      const back = once(worker, 'connect');
      await gearmand.restart();
      await back;
      const client = foregroundOf(t, gearmand);
      assert.equal((await client.run('f', '')).data.toString(), 'f');
      assert.equal((await client.run('g', '')).data.toString(), 'g');
      const lines = (await gearmand.ask('workers')).filter((line) => line.includes('phoenix'));
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? '', / phoenix : [fg] [fg]$/);
    }
  });

  it('aborts the jobs that run, whose results go nowhere', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler }, { concurrency: 2 });
    await worker.start();
    const outcomes: string[] = [];
    worker.on('job:end', (_job, outcome) => outcomes.push(outcome));
    const before = clientOf(t, gearmand);
    await before.doBackground('f', 'first');
    await before.doBackground('f', 'second');
    const runs = await hands.started(2);
    const lost = once(worker, 'disconnect');
    await gearmand.kill();
    await lost;
    for (const { job } of runs) {
      assert.ok(job.signal.reason instanceof GearmanError);
      assert.equal(job.signal.reason.code, 'GEARMAN_LOST_CONNECTION');
      assert.equal(job.signal.reason.server, gearmand.name);
    }
    await gearmand.restart();
    // Its handle may well be that of the first job.
    const { handle, outcome } = await foregroundOf(t, gearmand).submit('f', 'third');
    const third = await hands.run(2);
    assert.deepEqual(outcomes, ['lost', 'lost']);
    assert.ok(
      runs.some(({ job }) => job.handle === handle),
      'the handle is that of a job before the restart',
    );
    for (const { job } of runs) {
      // Misuse, not a failure: their handlers have ended.
      assert.throws(() => job.sendStatus(1, 2), { code: 'GEARMAN_INVALID_ARGUMENT' });
    }
    third.end('of the third');
    const { data, updates } = await outcome;
    assert.deepEqual([data.toString(), updates], ['of the third', []]);
  });

  it('gets nothing from a handler that goes on for a job of before', async (t) => {
    const gearmand = await Gearmand.start(t);
    let goOn = (): void => undefined;
    const worker = workerOf(
      t,
      [gearmand],
      {
        deaf: async (job) => {
          await new Promise<void>((resolve) => (goOn = resolve));
          job.sendStatus(1, 2);
          await job.sendData('too late');
          await job.sendWarning('too late');
          return 'too late';
        },
      },
      { concurrency: 2 },
    );
    await worker.start();
    const client = clientOf(t, gearmand);
    const start = once(worker, 'job:start');
    const old = await client.doBackground('deaf', 'first');
    await start;
    const goOnFirst = goOn;
    const lost = once(worker, 'disconnect');
    await gearmand.kill();
    await lost;
    const back = once(worker, 'connect');
    await gearmand.restart();
    await back;
    const startAgain = once(worker, 'job:start');
    const { handle, outcome } = await foregroundOf(t, gearmand).submit('deaf', 'second');
    assert.equal(handle, old, 'the same handle');
    await startAgain;
    const firstEnd = once(worker, 'job:end');
    goOnFirst();
    const [job, how] = (await firstEnd) as [{ text(): string }, string];
    assert.deepEqual([job.text(), how], ['first', 'lost']);
    const { running } = await gearmand.status('deaf');
    assert.equal(running, 1, 'the second still runs');
    goOn();
    assert.deepEqual((await outcome).updates, ['status: 1/2', 'data: too late', 'warning: too late']);
  });

  it('is waited for by start()', async (t) => {
    const gearmand = await Gearmand.start(t);
    await gearmand.kill();
    const worker = workerOf(t, [gearmand], { f: () => 'done' });
    const started = worker.start();
    await gearmand.restart();
    await started;
    assert.equal((await foregroundOf(t, gearmand).run('f', '')).data.toString(), 'done');
  });

  it('stops no job of another server', async (t) => {
    const servers = [await Gearmand.start(t), await Gearmand.start(t)] as const;
    const [victim, survivor] = servers;
    const hands = new Hands();
    const worker = workerOf(t, servers, { f: hands.handler }, { concurrency: 4 });
    await startOn(worker, servers);
    const outcome = await foregroundOf(t, survivor).submit('f', 'on the survivor');
    const run = await hands.run(0);
    const lost = onServer(worker, 'disconnect', victim.name);
    await victim.kill();
    await lost;
    assert.equal((await foregroundSecond()).data.toString(), 'second');
    run.end('first');
    assert.equal((await outcome.outcome).data.toString(), 'first');

    async function foregroundSecond() {
      const second = await foregroundOf(t, survivor).submit('f', 'another one');
      (await hands.run(1)).end('second');
      return second.outcome;
    }
  });
});

describe('a job server that is stopped (SIGSTOP)', () => {
  for (const concurrency of [1, 4]) {
    it(`does not stop the jobs of another one, and is used again when it goes on (concurrency ${concurrency})`, async (t) => {
      const servers = [await Gearmand.start(t), await Gearmand.start(t)] as const;
      const [frozen, live] = servers;
      const tally = new Tally();
      const handler = (job: { text(): string }): void => {
        tally.add(job.text());
      };
      const worker = workerOf(t, servers, { f: handler }, { concurrency, heartbeat: 100, connectTimeout: 300 });
      await startOn(worker, servers);
      const disconnected = onServer(worker, 'disconnect', frozen.name);
      await frozen.stop();
      const client = clientOf(t, live);
      for (let index = 0; index < 100; index++) await client.doBackground('f', String(index));
      await tally.reached(100);
      await disconnected;
      for (let index = 100; index < 200; index++) await client.doBackground('f', String(index));
      await tally.reached(200);
      const connected = onServer(worker, 'connect', frozen.name);
      frozen.continue();
      await connected;
      const there = await foregroundOf(t, frozen).run('f', 'on the one that was frozen');
      assert.equal(there.end, 'complete');
      assert.equal(tally.count, 201);
      assert.deepEqual(tally.repeated, []);
    });
  }

  it('gives its jobs out again when it goes on, for the worker has left it', async (t) => {
    const servers = [await Gearmand.start(t), await Gearmand.start(t)] as const;
    const [frozen, live] = servers;
    const hands = new Hands();
    const options = { concurrency: 2, heartbeat: 100, connectTimeout: 300 };
    const worker = workerOf(t, servers, { f: hands.handler }, options);
    await startOn(worker, servers);
    const onFrozen = await foregroundOf(t, frozen).submit('f', 'frozen');
    const first = await hands.run(0);
    const disconnected = onServer(worker, 'disconnect', frozen.name);
    await frozen.stop();
    await disconnected;
    assert.ok(first.job.signal.aborted, 'the job is given up');
    const onLive = await foregroundOf(t, live).submit('f', 'live');
    (await hands.run(1)).end('live');
    assert.equal((await onLive.outcome).data.toString(), 'live');
    frozen.continue();
    const again = await hands.run(2);
    assert.equal(again.job.handle, first.job.handle);
    again.end('at the second attempt');
    assert.equal((await onFrozen.outcome).data.toString(), 'at the second attempt');
  });

  for (const [what, leave] of [
    ['beside which the worker has no place for another', () => undefined],
    ['whose worker closes', (worker: GearmanWorker) => void worker.close()],
    ['whose function was removed', (worker: GearmanWorker) => void worker.removeFunction('f')],
  ] as const) {
    it(`aborts a job ${what}, too`, { timeout: 20_000 }, async (t) => {
      const gearmand = await Gearmand.start(t);
      const hands = new Hands();
      const options = { heartbeat: 100, connectTimeout: 300 };
      const worker = workerOf(t, [gearmand], { f: hands.handler, g: () => 'g' }, options);
      await worker.start();
      await clientOf(t, gearmand).doBackground('f', 'w');
      const { job } = await hands.run(0);
      leave(worker);
      const aborted = once(job.signal, 'abort');
      await gearmand.stop();
      await aborted;
      assert.equal((job.signal.reason as GearmanError).code, 'GEARMAN_LOST_CONNECTION');
      gearmand.continue();
    });
  }

  it('does not keep close() with a timeout from coming to its end', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler });
    await worker.start();
    await clientOf(t, gearmand).doBackground('f', 'w');
    const { job, end } = await hands.run(0);
    await gearmand.stop();
    end();
    await worker.close({ timeout: 50 });
    assert.equal(job.signal.aborted, false, 'the handler had ended');
    gearmand.continue();
  });
});

/** Starts a process whose worker holds three jobs that clients wait for; resolves when it has them. */
async function startHolder(t: TestContext, gearmand: Gearmand) {
  const args = ['--import', 'tsx', 'test/support/holder.ts', gearmand.name, '3'];
  const holder = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => holder.kill('SIGKILL'));
  const client = foregroundOf(t, gearmand);
  const jobs = await Promise.all(['1', '2', '3'].map((workload) => client.submit('f', workload)));
  const held: string[] = [];
  for await (const line of createInterface(holder.stdout)) if (held.push(line) === 3) break;
  assert.deepEqual(held.sort(), ['1', '2', '3']);
  const results = Promise.all(jobs.map(async ({ outcome }) => (await outcome).data.toString()));
  return { holder, client, results };
}

describe('a process with a worker', () => {
  it('that is killed (SIGKILL) loses its jobs to another one', async (t) => {
    const gearmand = await Gearmand.start(t);
    const { holder, results } = await startHolder(t, gearmand);
    const worker = workerOf(t, [gearmand], { f: (job) => `${job.text()} by another` }, { concurrency: 2 });
    await worker.start();
    assert.equal((await gearmand.status('f')).running, 3, 'they run where they are');
    holder.kill('SIGKILL');
    assert.deepEqual(await results, ['1 by another', '2 by another', '3 by another']);
  });

  it('that closes it on SIGTERM ends its jobs, takes no more, and ends by itself', async (t) => {
    const gearmand = await Gearmand.start(t);
    const { holder, client, results } = await startHolder(t, gearmand);
    await client.submit('f', 'too late');
    const exit = once(holder, 'exit');
    holder.kill('SIGTERM');
    assert.deepEqual(await results, ['1 at the end', '2 at the end', '3 at the end']);
    assert.deepEqual(await exit, [0, null]);
    await gearmand.untilLeft('f');
    assert.deepEqual(await gearmand.status('f'), { jobs: 1, running: 0, workers: 0 });
  });
});
