/** Workers that leave, or forget a function, while there is work: no job runs twice, and none is lost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { Job } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { Hands } from '../support/hands.js';
import { Tally, clientOf, foregroundOf, startOn, workerOf } from '../support/workers.js';

describe('close() in the middle of 60 jobs', () => {
  for (const closeAt of [1, 17, 30, 59]) {
    it(`after ${closeAt} of them: each runs once, the rest in another worker`, async (t) => {
      const servers = [await Gearmand.start(t), await Gearmand.start(t)] as const;
      const tally = new Tally();
      const handler = async (job: Job): Promise<void> => {
        tally.add(job.text());
        // Some end in another order than they were started in.
        for (let turn = Number(job.text()) % 5; turn > 0; turn--) await new Promise(setImmediate);
      };
      const client = clientOf(t, ...servers);
      const submissions = Array.from({ length: 60 }, (_, index) =>
        client.doBackground('f', String(index), { server: servers[index % 2]?.name }),
      );
      await Promise.all(submissions);
      const first = workerOf(t, servers, { f: handler }, { concurrency: 4 });
      await first.start();
      await tally.reached(closeAt);
      await first.close();
      const inFirst = tally.count;
      const left = await Promise.all(servers.map((server) => server.status('f')));
      const jobs = left.reduce((sum, status) => sum + status.jobs, 0);
      assert.equal(jobs, 60 - inFirst, 'the servers have all that did not run');
      for (const { running } of left) assert.equal(running, 0);
      await Promise.all(servers.map((server) => server.untilLeft('f')));
      const second = workerOf(t, servers, { f: handler }, { concurrency: 4 });
      await startOn(second, servers);
      await tally.reached(60);
      await second.close();
      for (const server of servers) assert.equal(await server.countJobs('f'), 0);
      assert.equal(tally.count, 60);
      assert.deepEqual(tally.repeated, []);
    });
  }

  it('lets the clients that wait for a running job have its result', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler }, { concurrency: 2 });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    const jobs = await Promise.all(['1', '2'].map((workload) => client.submit('f', workload)));
    const [one, two] = await hands.started(2);
    const closed = worker.close();
    const { handle } = await client.submit('f', 'too late');
    two?.end('two');
    one?.end(Buffer.alloc(8 * 1024 * 1024, 'x'));
    await closed;
    assert.deepEqual((await Promise.all(jobs.map(({ outcome }) => outcome))).map(({ data }) => data.length).sort(), [
      3,
      8 * 1024 * 1024,
    ]);
    assert.deepEqual(await clientOf(t, gearmand).jobStatus(handle), [true, false, 0, 0]);
    assert.equal(hands.runs.length, 2);
  });

  it('does not wait for a server that is stopped (SIGSTOP)', async (t) => {
    const gearmand = await Gearmand.start(t);
    const worker = workerOf(t, [gearmand], { f: () => '' }, { heartbeat: 100 });
    await worker.start();
    await gearmand.stop();
    await worker.close();
    gearmand.continue();
  });
});

describe('a function that is removed while a job of it runs', () => {
  it('takes no more jobs, and the one that runs has its result', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler, g: () => 'g' }, { concurrency: 3 });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    const { outcome } = await client.submit('f', 'first');
    const run = await hands.run(0);
    worker.removeFunction('f');
    // It works on over another connection, which is without it.
    assert.equal((await client.run('g', '')).data.toString(), 'g');
    const second = await client.submit('f', 'second');
    assert.equal((await client.run('g', '')).data.toString(), 'g');
    assert.equal(run.job.signal.aborted, false);
    run.end('f');
    assert.equal((await outcome).data.toString(), 'f');
    await gearmand.untilLeft('f');
    assert.equal((await gearmand.status('f')).jobs, 1);
    worker.addFunction('f', () => 'f again');
    assert.equal((await second.outcome).data.toString(), 'f again');
    assert.equal(hands.runs.length, 1);
  });

  it('may be the only one, with a limit of its own or none', async (t) => {
    for (const options of [{}, { concurrency: 1 }]) {
      const gearmand = await Gearmand.start(t);
      const hands = new Hands();
      const worker = workerOf(t, [gearmand], { f: { handler: hands.handler, options } }, { concurrency: 2 });
      await worker.start();
      const client = foregroundOf(t, gearmand);
      const { outcome } = await client.submit('f', 'first');
      const run = await hands.run(0);
      const second = await client.submit('f', 'second');
      if (!('concurrency' in options)) (await hands.run(1)).end('second');
      worker.removeFunction('f');
      run.end('first');
      assert.equal((await outcome).data.toString(), 'first');
      await gearmand.untilLeft('f');
      const runs = hands.runs.length;
      worker.addFunction('f', () => 'by the new one');
      const expected = runs === 2 ? 'second' : 'by the new one';
      assert.equal((await second.outcome).data.toString(), expected);
      await worker.close();
    }
  });

  it('may come back at once, and no job runs twice', async (t) => {
    const gearmand = await Gearmand.start(t);
    const tally = new Tally();
    const handler = async (job: Job): Promise<void> => {
      tally.add(job.text());
      await new Promise(setImmediate);
    };
    const worker = workerOf(t, [gearmand], { f: handler, g: () => 'g' }, { concurrency: 4 });
    await worker.start();
    const client = clientOf(t, gearmand);
    const submissions = Array.from({ length: 300 }, (_, index) => client.doBackground('f', String(index)));
    for (let count = 20; count <= 200; count += 20) {
      await tally.reached(count);
      worker.removeFunction('f').addFunction('f', handler);
    }
    await Promise.all(submissions);
    await tally.reached(300);
    await worker.close();
    assert.equal(await gearmand.countJobs('f'), 0);
    assert.equal(tally.count, 300);
    assert.deepEqual(tally.repeated, []);
  });
});

describe('a function that is added while the worker runs', () => {
  it('gets the jobs that wait for it, on each server', async (t) => {
    const servers = [await Gearmand.start(t), await Gearmand.start(t)] as const;
    const worker = workerOf(t, servers, { f: () => 'f' });
    await startOn(worker, servers);
    const clients = servers.map((server) => foregroundOf(t, server));
    const jobs = await Promise.all(clients.map((client) => client.submit('g', '')));
    worker.addFunction('g', () => 'g');
    for (const { outcome } of jobs) assert.equal((await outcome).data.toString(), 'g');
    const more = await Promise.all(clients.map((client) => client.submit('h', '')));
    worker.addFunction('h', () => 'h', { concurrency: 1 });
    for (const { outcome } of more) assert.equal((await outcome).data.toString(), 'h');
  });
});

describe('a worker without jobs', () => {
  it('says so once, and closes by itself after idleTimeout', async (t) => {
    const gearmand = await Gearmand.start(t);
    let idles = 0;
    const worker = workerOf(t, [gearmand], { f: () => '' }, { idleTimeout: 100, concurrency: 2 });
    worker.on('idle', () => idles++);
    await worker.start();
    await Promise.all(Array.from({ length: 20 }, () => foregroundOf(t, gearmand).run('f', '')));
    if (idles === 0) await once(worker, 'idle');
    await gearmand.untilLeft('f');
    await assert.rejects(worker.start(), { code: 'GEARMAN_SHUTDOWN' });
  });
});
