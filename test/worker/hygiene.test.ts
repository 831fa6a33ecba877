/** What a worker says of what it does, and what it leaves alone: the process, the caller's context, other people's listeners. */
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import type { GearmanError } from '../../src/errors.js';
import type { JobTrace } from '../../src/observe.js';
import { JobFailed, JobRetry } from '../../src/worker/job.js';
import type { GearmanWorker } from '../../src/worker/worker.js';
import { Clock } from '../support/clock.js';
import { Peer, hangUp } from '../support/peer.js';
import { runScript, type Printed } from '../support/process.js';
import { attend, handOut, jobAssignUniq, noJob, noop, workerOf, working } from '../support/worker.js';

/** Everything that a worker tells, as text. */
function tellingsOf(worker: GearmanWorker): string[] {
  const tellings: string[] = [];
  worker.on('job:start', ({ handle }) => tellings.push(`start ${handle}`));
  worker.on('job:error', ({ handle }, { message }) => tellings.push(`error ${handle} ${message}`));
  worker.on('job:end', ({ handle }, outcome) => tellings.push(`end ${handle} ${outcome}`));
  worker.on('connect', (server) => tellings.push(`connect ${server}`));
  worker.on('disconnect', (server, { code }) => tellings.push(`disconnect ${server} ${code}`));
  worker.on('idle', () => tellings.push('idle'));
  return tellings;
}

describe('the events of a worker', () => {
  it('tell of each job when it begins and how it ends', async (t) => {
    const { worker, peer, connection, hands } = await working(t, { concurrency: 4 });
    const tellings = tellingsOf(worker);
    connection.send(...[1, 2, 3, 4].map((number) => jobAssignUniq(`H:${number}`)));
    await hands.run(3);
    assert.deepEqual(tellings.splice(0), ['start H:1', 'start H:2', 'start H:3', 'start H:4']);
    hands.runs[0]?.end('result');
    hands.runs[1]?.fail(new Error('broken'));
    hands.runs[2]?.fail(new JobFailed('not today'));
    hands.runs[3]?.fail(new JobRetry('not now'));
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ');
    const ends = tellings.filter((telling) => telling !== 'idle');
    assert.deepEqual(ends, [
      'end H:1 complete',
      ...['error H:2 broken', 'end H:2 exception'],
      ...['error H:3 not today', 'end H:3 fail'],
      ...['error H:4 not now', 'end H:4 retry'],
    ]);
  });

  it('tell that it is begun before the handler is called, and give the job that the handler gets', async (t) => {
    const order: unknown[] = [];
    const { worker, connection } = await working(t, {}, { handler: (job) => void order.push(job) });
    worker.on('job:start', (job) => order.push(job));
    worker.on('job:end', (job) => order.push(job));
    connection.send(jobAssignUniq('H:1'));
    await connection.seen('WORK_COMPLETE');
    assert.equal(order.length, 3);
    assert.equal(new Set(order).size, 1);
  });

  it('tell of jobs whose connection was lost when their handlers have ended', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t);
    const tellings = tellingsOf(worker);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    const down = once(worker, 'disconnect');
    connection.reset();
    await down;
    assert.deepEqual(tellings.splice(0), ['start H:1', `disconnect ${peer.name} GEARMAN_LOST_CONNECTION`]);
    run.end('result');
    clock.advance(50);
    await once(worker, 'connect');
    const lost = (run.job.signal.reason as GearmanError).message;
    assert.deepEqual(tellings, [`error H:1 ${lost}`, 'end H:1 lost', `connect ${peer.name}`], 'and not of idleness');
  });

  it('tell of no idleness while a job that was given back may come again', async (t) => {
    const { worker, peer, connection, hands } = await working(t);
    const tellings = tellingsOf(worker);
    connection.send(jobAssignUniq('H:1'));
    (await hands.run(0)).fail(new JobRetry('later'));
    const next = await peer.connection(1);
    await next.seen('GRAB_JOB_UNIQ');
    assert.deepEqual(tellings.splice(0), ['start H:1', 'error H:1 later', 'end H:1 retry']);
    next.send(noJob);
    await next.seen('PRE_SLEEP');
    assert.deepEqual(tellings, ['idle']);
  });

  it('tell once that no job runs and no server has one, after each time that there was one', async (t) => {
    const { worker, clock, connection, hands } = await working(t, { concurrency: 2 });
    const tellings = tellingsOf(worker);
    connection.send(noJob, noJob);
    await connection.seen('PRE_SLEEP');
    clock.advance(1000);
    connection.send(noop);
    await connection.seen('GRAB_JOB_UNIQ', 4);
    assert.deepEqual(tellings, [], 'nothing has been done');
    connection.send(jobAssignUniq('H:1'));
    (await hands.run(0)).end();
    await connection.seen('GRAB_JOB_UNIQ', 5);
    assert.deepEqual(tellings, ['start H:1', 'end H:1 complete'], 'it asks for another');
    connection.send(noJob, noJob);
    await connection.seen('PRE_SLEEP', 2);
    assert.deepEqual(tellings.splice(0), ['start H:1', 'end H:1 complete', 'idle']);
    clock.advance(1000);
    connection.send(noop);
    await connection.seen('GRAB_JOB_UNIQ', 7);
    connection.send(noJob, noJob);
    await connection.seen('PRE_SLEEP', 3);
    assert.deepEqual(tellings, []);
  });

  it('tell nothing of servers that the worker leaves', async (t) => {
    const { worker, connection } = await working(t);
    const tellings = tellingsOf(worker);
    connection.send(noJob);
    await worker.close();
    assert.deepEqual(tellings, []);
  });
});

describe('the tracing channel gearman:job', () => {
  function trace(t: TestContext) {
    const events: string[] = [];
    const contexts: Partial<JobTrace & { error: Error }>[] = [];
    const note = (event: string) => (context: unknown) => {
      events.push(event);
      contexts.push({ ...(context as object) });
    };
    const [start, end, error] = [note('start'), note('end'), note('error')];
    const handlers = { start, end, asyncStart: note('asyncStart'), asyncEnd: note('asyncEnd'), error };
    const traced = tracingChannel('gearman:job');
    traced.subscribe(handlers);
    t.after(() => traced.unsubscribe(handlers));
    return { events, contexts };
  }

  it('traces a job that a handler does', async (t) => {
    const { events, contexts } = trace(t);
    const { peer, connection } = await working(t, { prefix: 'p:' }, { handler: () => 'done' });
    connection.send(jobAssignUniq('H:1', 'p:f', 'sesame', 'u'));
    await connection.seen('WORK_COMPLETE');
    assert.deepEqual(events, ['start', 'end', 'asyncStart', 'asyncEnd']);
    assert.deepEqual(contexts[0], { function: 'f', handle: 'H:1', unique: 'u', server: peer.name });
    assert.doesNotMatch(JSON.stringify(contexts), /sesame/);
  });

  it('traces one that fails', async (t) => {
    const { events, contexts } = trace(t);
    const error = new JobFailed('not today');
    const handler = (): never => {
      throw error;
    };
    const { connection } = await working(t, {}, { handler });
    connection.send(jobAssignUniq('H:1'));
    await connection.seen('WORK_FAIL');
    assert.deepEqual(events, ['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    assert.equal(contexts[2]?.error, error);
  });
});

describe("the caller's AsyncLocalStorage context", () => {
  it('is not that of handlers and listeners', async (t) => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const look = (): void => void seen.push(storage.getStore());
    const [peer, clock] = [await Peer.start(t, attend, attend), new Clock()];
    const worker = workerOf(t, [peer], {}, clock);
    await storage.run('start', async () => {
      worker.addFunction('f', look).on('connect', look).on('job:end', look).on('disconnect', look);
      await worker.start();
      assert.equal(storage.getStore(), 'start');
    });
    const connection = await peer.connection(0);
    connection.send(jobAssignUniq('H:1'));
    await connection.seen('WORK_COMPLETE');
    const down = once(worker, 'disconnect');
    connection.reset();
    await down;
    assert.deepEqual(seen, [undefined, undefined, undefined, undefined]);
  });
});

describe('the process', { concurrency: 3 }, () => {
  /** Runs a script with a started `worker`, whose function `f` returns its workload. */
  function run(t: TestContext, peer: Peer, script: string, options = {}, env = {}): Promise<Printed> {
    const settings = JSON.stringify({ servers: peer.name, ...options });
    const start = `
      const worker = new GearmanWorker(${settings});
      worker.addFunction('f', (job) => job.workload);
      await worker.start();`;
    return runScript(t, start + script, env);
  }

  it('lives while a worker is idle', async (t) => {
    const peer = await Peer.start(
      t,
      handOut(() => undefined),
    );
    void run(t, peer, '', { heartbeat: 400 });
    await (await peer.connection(0)).seen('PRE_SLEEP', 3);
  });

  it('lives while no server is there', async (t) => {
    const peer = await Peer.start(t, attend, hangUp);
    void run(t, peer, '', { backoff: { min: 10, max: 10 } });
    (await peer.connection(0)).reset();
    for (const index of [1, 2, 3, 4]) await peer.connection(index);
  });

  it('ends when the worker is destroyed', async (t) => {
    const peer = await Peer.start(
      t,
      handOut(() => undefined),
    );
    const { lines } = await run(t, peer, `print('started'); worker.destroy();`);
    assert.deepEqual(lines, ['started', 'exit 0']);
  });

  it('sees what listeners and subscribers throw, and the jobs do not', async (t) => {
    const jobs = [1, 2, 3];
    const peer = await Peer.start(
      t,
      handOut(() => {
        const job = jobs.shift();
        return job === undefined ? undefined : jobAssignUniq(`H:${job}`, 'f', `w${job}`);
      }),
    );
    const script = `
      import { tracingChannel } from 'node:diagnostics_channel';
      const thrown = new Set();
      process.on('uncaughtException', ({ message }) => thrown.add(message));
      const fail = (name) => () => { throw new Error(name); };
      for (const name of ['job:start', 'job:end']) worker.on(name, fail(name));
      const events = ['start', 'end', 'asyncStart', 'asyncEnd'];
      tracingChannel('gearman:job').subscribe(Object.fromEntries(events.map((event) => [event, fail(event)])));
      worker.once('idle', () => setImmediate(() => {
        print([...thrown].sort());
        worker.destroy();
      }));`;
    const { lines } = await run(t, peer, script);
    assert.deepEqual(lines, ['asyncEnd,asyncStart,end,job:end,job:start,start', 'exit 0']);
    const results = peer.requests.filter(({ name }) => name === 'WORK_COMPLETE').map(({ data }) => data.toString());
    assert.deepEqual(results, ['w1', 'w2', 'w3']);
  });

  it('prints what a worker does under debug, and never a workload', async (t) => {
    const jobs = [jobAssignUniq('H:1', 'f', 'sesame')];
    const peer = await Peer.start(
      t,
      handOut(() => jobs.shift()),
    );
    const script = `worker.once('job:end', () => worker.destroy());`;
    const { stderr } = await run(t, peer, script, {}, { DEBUG: 'gearman:*' });
    for (const part of ['gearman:worker', `${peer.name} has f`])
      assert.ok(stderr.includes(part), `${part} in ${stderr}`);
    assert.ok(!stderr.includes('sesame'), stderr);
  });
});
