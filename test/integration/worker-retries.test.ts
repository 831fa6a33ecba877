/** Jobs that a worker gives back: they run again, and no other job does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { JobRetry } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { Hands } from '../support/hands.js';
import { SteppedWorker } from '../support/stepped-worker.js';
import { foregroundOf, workerOf } from '../support/workers.js';

describe('a job that is given back with JobRetry', () => {
  it('runs again, the others on its connection run once, and the client gets the second result', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler }, { concurrency: 3 });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    const jobs = [];
    for (const workload of ['first', 'retried', 'third']) jobs.push(await client.submit('f', workload));
    const [first, retried, third] = await hands.started(3);
    assert.ok(first && retried && third, 'three jobs run');
    assert.equal((await gearmand.status('f')).workers, 1, 'on one connection');
    const end = once(worker, 'job:end');
    retried.fail(new JobRetry());
    assert.equal((await end)[1], 'retry');
    // The worker's place is free: it works on over another connection.
    jobs.push(await client.submit('f', 'meanwhile'));
    const meanwhile = await hands.run(3);
    assert.equal(meanwhile.job.text(), 'meanwhile');
    assert.equal((await gearmand.status('f')).workers, 2, 'on two connections');
    first.end('first');
    meanwhile.end('meanwhile');
    third.end('third');
    const again = await hands.run(4);
    assert.equal(again.job.handle, retried.job.handle);
    assert.equal(again.job.text(), 'retried');
    again.end('second result');
    const outcomes = await Promise.all(jobs.map(({ outcome }) => outcome));
    assert.deepEqual(
      outcomes.map(({ end: how, data }) => `${how}: ${data.toString()}`),
      ['complete: first', 'complete: second result', 'complete: third', 'complete: meanwhile'],
    );
    assert.deepEqual(hands.workloads, ['first', 'retried', 'third', 'meanwhile', 'retried']);
    assert.equal((await gearmand.status('f')).jobs, 0);
    await worker.close();
    assert.equal(hands.runs.length, 5);
  });

  it('goes to another worker that waits for jobs', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler });
    await worker.start();
    const { outcome } = await foregroundOf(t, gearmand).submit('f', 'w');
    const run = await hands.run(0);
    const other = new SteppedWorker(gearmand.port, 'f');
    t.after(() => {
      other.close();
    });
    const grabbed = other.grab();
    await other.done();
    worker.pause();
    run.fail(new JobRetry());
    const job = await grabbed;
    assert.equal(job.handle, run.job.handle);
    other.complete(job, 'by the other');
    assert.equal((await outcome).data.toString(), 'by the other');
    assert.equal(hands.runs.length, 1);
  });

  it('over and over, among others, runs as often as it must, and they once', async (t) => {
    const gearmand = await Gearmand.start(t);
    const runs = new Map<string, number>();
    const worker = workerOf(
      t,
      [gearmand],
      {
        f: async (job) => {
          const workload = job.text();
          const run = (runs.get(workload) ?? 0) + 1;
          runs.set(workload, run);
          await new Promise(setImmediate);
          if (workload.startsWith('retry') && run < 4) throw new JobRetry();
          return `${workload} ${run}`;
        },
      },
      { concurrency: 4 },
    );
    await worker.start();
    const client = foregroundOf(t, gearmand);
    const workloads = Array.from({ length: 100 }, (_, index) => `${index % 10 === 0 ? 'retry' : 'once'} ${index}`);
    const outcomes = await Promise.all(workloads.map((workload) => client.run('f', workload)));
    assert.deepEqual(
      outcomes.map(({ data }) => data.toString()),
      workloads.map((workload) => `${workload} ${workload.startsWith('retry') ? 4 : 1}`),
    );
    await worker.close();
    assert.equal(await gearmand.countJobs('f'), 0);
  });

  it('fails when it has used up the job retries of the server', async (t) => {
    const gearmand = await Gearmand.start(t, '--job-retries=2');
    let runs = 0;
    const worker = workerOf(t, [gearmand], {
      f: () => {
        runs++;
        throw new JobRetry();
      },
      fine: () => 'fine',
    });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    const { end, data } = await client.run('f', '');
    assert.deepEqual([end, data.length], ['fail', 0]);
    assert.equal(runs, 2);
    assert.equal((await client.run('fine', '')).data.toString(), 'fine');
    assert.equal(await gearmand.countJobs('f'), 0);
  });
});

describe('a job that takes longer than its timeout', () => {
  for (const [onTimeout, ends] of [
    ['fail', ['fail', 'fail']],
    ['retry', ['retry', 'complete']],
  ] as const) {
    it(`ends as onTimeout says: ${onTimeout}`, async (t) => {
      const gearmand = await Gearmand.start(t);
      const hands = new Hands();
      const skill = { handler: hands.handler, options: { timeout: 50, onTimeout } };
      const worker = workerOf(t, [gearmand], { f: skill });
      await worker.start();
      const { outcome } = await foregroundOf(t, gearmand).submit('f', 'w');
      const { job } = await hands.run(0);
      const [, how] = (await once(worker, 'job:end')) as [unknown, string];
      assert.equal(how, ends[0]);
      assert.equal((job.signal.reason as { code: string }).code, 'GEARMAN_TIMEOUT');
      if (onTimeout === 'retry') (await hands.run(1)).end('in time');
      assert.equal((await outcome).end, ends[1]);
    });
  }
});

describe('a job that the server takes away', () => {
  it('because it was cancelled does not hurt its worker', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler }, { concurrency: 2 });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    const first = await client.submit('f', 'first');
    const run = await hands.run(0);
    const second = await client.submit('f', 'second');
    await hands.run(1);
    await gearmand.ask(`cancel job ${first.handle}`);
    assert.equal((await first.outcome).end, 'fail');
    run.job.sendStatus(1, 2);
    await run.job.sendData('nobody wants it');
    run.end('nor this');
    hands.runs[1]?.end('second');
    assert.deepEqual(await second.outcome, { end: 'complete', data: Buffer.from('second'), updates: [] });
    const third = await client.submit('f', 'third');
    (await hands.run(2)).end('third');
    assert.equal((await third.outcome).data.toString(), 'third');
  });

  it('after serverTimeout goes to another worker, whose result counts', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const skill = { handler: hands.handler, options: { serverTimeout: 1000 } };
    const worker = workerOf(t, [gearmand], { f: skill });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    const { outcome } = await client.submit('f', 'w');
    const late = await hands.run(0);
    // gearmand wakes those who sleep before the job is back, and they may be too quick: a thread of its own does that.
    while (!(await gearmand.ask('prioritystatus')).includes('f\t0\t1\t0\t1'));
    const other = new SteppedWorker(gearmand.port, 'f');
    t.after(() => {
      other.close();
    });
    const job = await other.grab();
    assert.equal(job.handle, late.job.handle);
    late.end('too late');
    await once(worker, 'job:end');
    other.complete(job, 'by the other');
    assert.equal((await outcome).data.toString(), 'by the other');
    other.close();
    const next = await client.submit('f', 'next');
    (await hands.run(1)).end('next');
    assert.equal((await next.outcome).data.toString(), 'next');
  });
});

describe('a job whose worker leaves', () => {
  it('is given back when the timeout of close() has run out', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler }, { concurrency: 3 });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    const jobs = await Promise.all(['1', '2', '3'].map((workload) => client.submit('f', workload)));
    const [one, ...cut] = await hands.started(3);
    const closed = worker.close({ timeout: 100 });
    one?.end('in time');
    await closed;
    for (const { job } of cut) assert.equal((job.signal.reason as { code: string }).code, 'GEARMAN_SHUTDOWN');
    await gearmand.untilLeft('f');
    const next = workerOf(t, [gearmand], { f: (job) => `${job.text()} by the next` }, { concurrency: 3 });
    await next.start();
    const results = await Promise.all(jobs.map(async ({ outcome }) => (await outcome).data.toString()));
    const expected = jobs.map(({ handle }) => {
      const run = hands.runs.find(({ job }) => job.handle === handle);
      return run === one ? 'in time' : `${String(run?.job.text())} by the next`;
    });
    assert.deepEqual(results, expected);
  });

  it('is given back at once by destroy()', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler });
    await worker.start();
    const { outcome } = await foregroundOf(t, gearmand).submit('f', 'w');
    const { job } = await hands.run(0);
    worker.destroy();
    assert.ok(job.signal.aborted, 'its signal is aborted');
    const next = workerOf(t, [gearmand], { f: () => 'by the next' });
    await next.start();
    assert.equal((await outcome).data.toString(), 'by the next');
  });
});
