/** What a worker does with the jobs of real job servers. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { JobFailed } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { Hands } from '../support/hands.js';
import { countRequests } from '../support/counter.js';
import { SteppedWorker } from '../support/stepped-worker.js';
import { Tally, clientOf, foregroundOf, startOn, workerOf } from '../support/workers.js';

const startTwo = async (t: TestContext): Promise<readonly [Gearmand, Gearmand]> =>
  Promise.all([Gearmand.start(t), Gearmand.start(t)]);

/** What all servers together hold of the function `f`. */
async function statusOf(servers: readonly Gearmand[]): Promise<{ jobs: number; running: number }> {
  const sum = { jobs: 0, running: 0 };
  for (const { jobs, running } of await Promise.all(servers.map((server) => server.status('f')))) {
    sum.jobs += jobs;
    sum.running += running;
  }
  return sum;
}

describe('bytes', () => {
  it('of a workload and of a result arrive as they are, from 0 bytes to 32 MiB', async (t) => {
    const gearmand = await Gearmand.start(t);
    const seen: Buffer[] = [];
    const worker = workerOf(t, [gearmand], {
      echo: ({ workload }) => {
        seen.push(workload);
        return workload;
      },
    });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    for (const size of [0, 1, 8192, 16_383, 16_384, 65_500, 65_536, 1024 * 1024, 32 * 1024 * 1024]) {
      const workload = randomBytes(size);
      const { end, data } = await client.run('echo', workload);
      assert.equal(end, 'complete');
      assert.ok(seen.pop()?.equals(workload), `the worker got ${size} bytes`);
      assert.ok(data.equals(workload), `the client got ${size} bytes`);
    }
  });

  it('may be NULs, what looks like a packet, and any text', async (t) => {
    const gearmand = await Gearmand.start(t);
    const seen: string[] = [];
    const worker = workerOf(t, [gearmand], {
      echo: (job) => {
        seen.push(job.text());
        return job.text();
      },
    });
    await worker.start();
    const client = foregroundOf(t, gearmand);
    for (const text of [
      '\0',
      'a\0b\0',
      '\0\0\0',
      '\0REQ\0\0\0\x0d\0\0\0\x05',
      '\0RES\0\0\0\x06\0\0\0\0',
      'größe ✓ 🎉',
    ]) {
      const { data } = await client.run('echo', text);
      assert.equal(seen.pop(), text);
      assert.equal(data.toString(), text);
    }
  });

  it('of the parts of a result arrive in order and in front of it, with the progress', async (t) => {
    const gearmand = await Gearmand.start(t);
    const worker = workerOf(t, [gearmand], {
      parts: async (job) => {
        job.sendStatus(1, 2);
        await job.sendData('a\0b\0');
        await job.sendWarning('c');
        job.sendStatus(2, 2);
        await job.sendData('');
        return Buffer.from('\0');
      },
    });
    await worker.start();
    const { end, data, updates } = await foregroundOf(t, gearmand).run('parts', '');
    assert.deepEqual(updates, ['status: 1/2', 'data: a\0b\0', 'warning: c', 'status: 2/2', 'data: ']);
    assert.equal(end, 'complete');
    assert.equal(data.toString(), '\0');
  });

  it('of 32 MiB in parts of 1 MiB arrive whole', async (t) => {
    const gearmand = await Gearmand.start(t);
    const part = 'x'.repeat(1024 * 1024);
    const worker = workerOf(t, [gearmand], {
      parts: async (job) => {
        for (let index = 0; index < 32; index++) await job.sendData(part);
      },
    });
    await worker.start();
    const { end, updates } = await foregroundOf(t, gearmand).run('parts', '');
    assert.equal(end, 'complete');
    assert.equal(updates.length, 32);
    assert.ok(
      updates.every((update) => update === `data: ${part}`),
      'each part is whole',
    );
  });
});

describe('a job', () => {
  it('says all that the server says of it', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const skill = { handler: hands.handler, options: { reducer: true } };
    await workerOf(t, [gearmand], { f: skill }).start();
    const client = clientOf(t, gearmand);
    const handle = await client.doBackground('f', '{"a":1}', { unique: 'größe', reducer: 'sum' });
    const { job } = await hands.run(0);
    assert.deepEqual(
      [job.handle, job.function, job.unique, job.reducer, job.server, job.json()],
      [handle, 'f', 'größe', 'sum', gearmand.name, { a: 1 }],
    );
    job.sendStatus(3, 4_294_967_295);
    for await (const { numerator, denominator } of client.watch(handle, { interval: 1 })) {
      if (numerator === 0) continue;
      assert.deepEqual([numerator, denominator], [3, 4_294_967_295]);
      break;
    }
  });

  it('whose handler throws is an exception for who asked to be told, and a failure for the others', async (t) => {
    const gearmand = await Gearmand.start(t);
    const worker = workerOf(t, [gearmand], {
      throws: () => {
        throw new Error('größe is none');
      },
      fails: () => {
        throw new JobFailed('not for the client');
      },
      fine: () => 'fine',
    });
    await worker.start();
    const told = foregroundOf(t, gearmand, { exceptions: true });
    const untold = foregroundOf(t, gearmand);
    const exception = await told.run('throws', '');
    assert.deepEqual([exception.end, exception.data.toString()], ['exception', 'größe is none']);
    for (const client of [told, untold]) {
      const { end, data } = await client.run('fails', '');
      assert.deepEqual([end, data.length], ['fail', 0]);
    }
    assert.equal((await untold.run('throws', '')).end, 'fail');
    assert.equal((await untold.run('fine', '')).data.toString(), 'fine', 'the worker goes on');
  });

  it('of a prefixed function is found by clients with the same prefix', async (t) => {
    const gearmand = await Gearmand.start(t);
    const names: string[] = [];
    const worker = workerOf(t, [gearmand], { mail: (job) => void names.push(job.function) }, { prefix: 'shop/' });
    await worker.start();
    assert.equal((await foregroundOf(t, gearmand).run('shop/mail', '')).end, 'complete');
    assert.deepEqual(names, ['mail']);
  });
});

describe('a worker', () => {
  it('is listed by its id and its functions', async (t) => {
    const gearmand = await Gearmand.start(t);
    const worker = workerOf(t, [gearmand], { f: () => '', g: () => '' }, { id: 'printer-1' });
    await worker.start();
    const lines = await gearmand.ask('workers');
    assert.match(lines.find((line) => line.includes('printer-1')) ?? '', / printer-1 : [fg] [fg]$/);
  });

  it('of two servers takes from both in turn, and never more jobs than it may run', async (t) => {
    const servers = await startTwo(t);
    const hands = new Hands();
    const worker = workerOf(t, servers, { f: hands.handler }, { concurrency: 3 });
    await startOn(worker, servers);
    const client = clientOf(t, ...servers);
    const submissions = Array.from({ length: 40 }, (_, index) =>
      client.doBackground('f', String(index), { server: servers[index % 2]?.name }),
    );
    await Promise.all(submissions);
    for (let ended = 0; ended < 40; ended++) {
      await hands.started(Math.min(ended + 3, 40));
      // What the servers say: a job that was grabbed runs, also if its handler had to wait.
      let held = await statusOf(servers);
      while (held.jobs > 40 - ended) held = await statusOf(servers);
      assert.equal(held.running, Math.min(3, 40 - ended), `after ${ended} jobs`);
      const end = once(worker, 'job:end');
      (await hands.run(ended)).end();
      await end;
    }
    assert.equal(hands.most, 3);
    const names = hands.runs.map(({ job }) => job.server);
    assert.equal(new Set(hands.workloads).size, 40);
    const first = names.slice(0, 12).filter((name) => name === servers[0].name).length;
    assert.ok(first >= 4 && first <= 8, `${first} of the first 12 jobs came from the first server`);
  });

  it('tells the jobs of two servers apart that have the same handle', async (t) => {
    const servers = await startTwo(t);
    const hands = new Hands();
    const worker = workerOf(t, servers, { f: hands.handler }, { concurrency: 2 });
    await startOn(worker, servers);
    const clients = servers.map((server) => foregroundOf(t, server));
    const jobs = await Promise.all(clients.map((client, index) => client.submit('f', `of server ${index}`)));
    assert.equal(new Set(jobs.map(({ handle }) => handle)).size, 1);
    for (const { job, end } of await hands.started(2)) {
      job.sendStatus(Number(job.text().at(-1)), 2);
      end(job.text());
    }
    for (const [index, { outcome }] of jobs.entries()) {
      const { data, updates } = await outcome;
      assert.deepEqual([data.toString(), updates], [`of server ${index}`, [`status: ${index}/2`]]);
    }
  });

  it('keeps the limit of a function over all servers, and does other jobs meanwhile', async (t) => {
    const servers = await startTwo(t);
    const slow = new Hands();
    const tally = new Tally();
    const worker = workerOf(
      t,
      servers,
      {
        slow: { handler: slow.handler, options: { concurrency: 2 } },
        quick: (job) => {
          tally.add(job.text());
        },
      },
      { concurrency: 4 },
    );
    await startOn(worker, servers);
    const client = clientOf(t, ...servers);
    const submissions = Array.from({ length: 16 }, (_, index) =>
      client.doBackground('slow', String(index), { server: servers[index % 2]?.name }),
    );
    await Promise.all(submissions);
    await slow.started(2);
    for (let index = 0; index < 20; index++) await client.doBackground('quick', String(index));
    await tally.reached(20);
    for (let index = 0; index < 16; index++) (await slow.run(index)).end();
    assert.equal(slow.most, 2);
    assert.deepEqual(tally.repeated, []);
  });

  it('does each of 2,000 quick jobs of two servers once, eight at a time', async (t) => {
    const servers = await startTwo(t);
    const tally = new Tally();
    let running = 0;
    let most = 0;
    const handler = async (job: { text(): string }): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      tally.add(job.text());
    };
    const worker = workerOf(t, servers, { f: handler }, { concurrency: 8 });
    await startOn(worker, servers);
    const client = clientOf(t, ...servers);
    await Promise.all(Array.from({ length: 2000 }, (_, index) => client.doBackground('f', String(index))));
    await tally.reached(2000);
    await worker.close();
    for (const server of servers) assert.equal(await server.countJobs('f'), 0);
    assert.equal(tally.count, 2000);
    assert.deepEqual(tally.repeated, []);
    assert.ok(most <= 8, `${most} jobs ran at a time`);
  });

  it('takes jobs by their priority', async (t) => {
    const gearmand = await Gearmand.start(t);
    const order: string[] = [];
    const client = clientOf(t, gearmand);
    await client.doLowBackground('f', 'low');
    await client.doBackground('f', 'normal');
    await client.doHighBackground('f', 'high');
    const worker = workerOf(t, [gearmand], { f: (job) => void order.push(job.text()) });
    await worker.start();
    await once(worker, 'idle');
    assert.deepEqual(order, ['high', 'normal', 'low']);
  });

  it('closes by itself after maxJobs, and leaves the others in the queue', async (t) => {
    const gearmand = await Gearmand.start(t);
    const client = clientOf(t, gearmand);
    for (const workload of ['1', '2', '3', '4', '5']) await client.doBackground('f', workload);
    const done: string[] = [];
    const worker = workerOf(t, [gearmand], { f: (job) => void done.push(job.text()) }, { concurrency: 2, maxJobs: 3 });
    await worker.start();
    await once(worker, 'idle');
    await worker.close();
    assert.deepEqual(done, ['1', '2', '3']);
    const rest = new SteppedWorker(gearmand.port, 'f');
    t.after(() => {
      rest.close();
    });
    assert.deepEqual(
      (await rest.drain()).map(({ workload }) => workload.toString()),
      ['4', '5'],
    );
  });

  it('takes nothing while it is paused', async (t) => {
    const gearmand = await Gearmand.start(t);
    const hands = new Hands();
    const worker = workerOf(t, [gearmand], { f: hands.handler });
    await worker.start();
    const client = clientOf(t, gearmand);
    await client.doBackground('f', 'first');
    const first = await hands.run(0);
    worker.pause();
    await client.doBackground('f', 'second');
    first.end();
    await once(worker, 'job:end');
    // It is the other worker's, who asks after this one could have.
    const other = new SteppedWorker(gearmand.port, 'f');
    t.after(() => {
      other.close();
    });
    const [job] = await other.take(1);
    assert.equal(job?.workload.toString(), 'second');
    await other.done();
    other.close();
    await client.doBackground('f', 'third');
    worker.resume();
    assert.equal((await hands.run(1)).job.text(), 'third');
  });
});

describe('a job whose time has not come', () => {
  it('runs when it has, not before, and nobody asks for it in a busy loop', async (t) => {
    const gearmand = await Gearmand.start(t);
    const counter = await countRequests(t, gearmand.port);
    const at = new Date(Date.now() + 2000);
    const client = clientOf(t, gearmand);
    await client.doBackground('f', 'later', { at });
    const started: number[] = [];
    const worker = workerOf(t, [], { f: () => void started.push(Date.now()) }, { servers: counter.name });
    const end = once(worker, 'job:end');
    await worker.start();
    await end;
    const [startedAt = 0] = started;
    assert.ok(startedAt >= at.getTime(), `it ran ${at.getTime() - startedAt} ms early`);
    const grabs = counter.count('GRAB_JOB_UNIQ');
    assert.ok(grabs >= 2 && grabs <= 40, `it was asked for ${grabs} times`);
    await worker.close();
    assert.equal(await gearmand.countJobs('f'), 0);
  });

  it('holds up no job of another function', async (t) => {
    const gearmand = await Gearmand.start(t);
    const client = clientOf(t, gearmand);
    await client.doBackground('later', 'w', { at: new Date(Date.now() + 3_600_000) });
    const worker = workerOf(t, [gearmand], { later: () => 'early', now: () => 'now' });
    await worker.start();
    const foreground = foregroundOf(t, gearmand);
    for (let round = 0; round < 5; round++) assert.equal((await foreground.run('now', '')).data.toString(), 'now');
    assert.equal(await gearmand.countJobs('later'), 1);
  });
});
