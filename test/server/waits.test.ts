import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { JobServer } from '../../src/server/server.js';
import { Clock } from '../support/clock.js';
import { Speaker } from '../support/speaker.js';

async function serve(t: TestContext, clock?: Clock) {
  const server = clock === undefined ? new JobServer() : new JobServer({}, clock);
  await server.listen({ port: 0 });
  t.after(() => server.close());
  const [client, worker] = [await Speaker.to(t, server.address), await Speaker.to(t, server.address)];
  await worker.say('CAN_DO', ['f']).hearsNothing();
  return { server, client, worker };
}

const handle = 'H:server:1';

describe('waitFor', () => {
  it('resolves when the job comes into the state', async (t) => {
    const { server, client, worker } = await serve(t);
    const [queued, running, done] = (['queued', 'running', 'done'] as const).map((state) =>
      server.waitFor(handle, state),
    );
    await client.ask('SUBMIT_JOB_HIGH', ['f', 'ü'], 'w');
    await worker.ask('GRAB_JOB');
    worker.say('WORK_STATUS', [handle, '1', '2']).say('WORK_COMPLETE', [handle]);
    const common = { handle, function: 'f', unique: 'ü', priority: 'high', background: false, retries: 0 };
    const workload = Buffer.from('w');
    const before = { ...common, waitingClients: 1, numerator: 0, denominator: 0, workload };
    assert.deepEqual(await queued, { ...before, state: 'queued' });
    assert.deepEqual(await running, { ...before, state: 'running' });
    assert.deepEqual(await done, { ...before, state: 'done', waitingClients: 0, numerator: 1, denominator: 2 });
  });

  it('resolves at once where that is so, or was so of one that is gone', async (t) => {
    const { server, client, worker } = await serve(t);
    await client.ask('SUBMIT_JOB_BG', ['f', '']);
    assert.equal((await server.waitFor(handle, 'queued')).state, 'queued');
    await worker.ask('GRAB_JOB');
    assert.equal((await server.waitFor({ function: 'f' }, 'running')).state, 'running');
    await worker.say('WORK_FAIL', [handle]).hearsNothing();
    for (const state of ['queued', 'running', 'done'] as const) {
      assert.equal((await server.waitFor(handle, state)).state, 'done');
      assert.equal((await server.waitFor({ function: 'f' }, state)).handle, handle);
    }
  });

  it('sees a job that is queued again', async (t) => {
    const { server, client, worker } = await serve(t);
    await client.ask('SUBMIT_JOB_BG', ['f', '']);
    await worker.ask('GRAB_JOB');
    const again = server.waitFor(handle, 'queued');
    worker.socket.destroy();
    const { state, retries } = await again;
    assert.deepEqual([state, retries], ['queued', 1]);
  });

  it('takes a job that nobody waits for any more for done, but not for one that has run', async (t) => {
    const clock = new Clock();
    const { server, client } = await serve(t, clock);
    await client.ask('SUBMIT_JOB', ['f', '']);
    assert.equal(server.jobs.length, 1);
    const ran = server.waitFor(handle, 'running', { timeout: 50 });
    const done = server.waitFor(handle, 'done');
    client.socket.destroy();
    assert.equal((await done).state, 'done');
    assert.deepEqual(server.jobs, []);
    clock.advance(50);
    await assert.rejects(ran, {
      code: 'GEARMAN_TIMEOUT',
      handle,
      message: /^The job H:server:1 was not running within 50 ms; seen: 1 ended without running\.$/,
    });
  });

  it('takes it for queued again when somebody waits for it again', async (t) => {
    const clock = new Clock();
    const { server, client, worker } = await serve(t, clock);
    await client.ask('SUBMIT_JOB', ['f', 'u']);
    client.socket.destroy();
    await server.waitFor(handle, 'done');
    const next = await Speaker.to(t, server.address);
    assert.equal(await next.ask('SUBMIT_JOB', ['f', 'u']), `JOB_CREATED|${handle}`);
    const done = server.waitFor(handle, 'done');
    assert.equal((await server.waitFor(handle, 'queued')).waitingClients, 1);
    await worker.ask('GRAB_JOB');
    await worker.say('WORK_COMPLETE', [handle]).hearsNothing();
    const { state, waitingClients } = await done;
    assert.deepEqual([state, waitingClients, server.jobs], ['done', 0, []]);
  });

  it('remembers many jobs however large they were, the large ones without their workloads', async (t) => {
    const { server, client, worker } = await serve(t);
    const sizes = [3_000_000, 16_385, 16_384, 5_000_000];
    for (const size of sizes) {
      await client.ask('SUBMIT_JOB_BG', ['f', ''], Buffer.alloc(size));
      await worker.ask('GRAB_JOB');
      await worker.say('WORK_FAIL', [`H:server:${server.jobs[0]?.handle.split(':')[2]}`]).hearsNothing();
    }
    const lengths = [];
    for (const [index] of sizes.entries()) {
      lengths.push((await server.waitFor(`H:server:${index + 1}`, 'done')).workload.length);
    }
    assert.deepEqual(lengths, [0, 0, 16_384, 0]);
  });

  it('rejects with what was seen when the time is up, with the line of the caller', async (t) => {
    const clock = new Clock();
    const { server, client } = await serve(t, clock);
    await client.ask('SUBMIT_JOB_BG', ['f', '']);
    await client.ask('SUBMIT_JOB_BG', ['f', '']);
    const wait = server.waitFor({ function: 'f' }, 'running');
    const other = server.waitFor({ function: 'g' }, 'queued');
    clock.advance(10_000);
    await assert.rejects(wait, (error: Error) => {
      assert.match(error.message, /^A job of the function 'f' was not running within 10000 ms; seen: 2 queued\.$/);
      assert.match(error.stack ?? '', /waits\.test\.ts/);
      return true;
    });
    await assert.rejects(other, { code: 'GEARMAN_TIMEOUT', function: 'g', message: /no such job was seen/ });
    await server.close();
    assert.equal(clock.alarms, 0);
  });

  it('can be aborted', async (t) => {
    const { server } = await serve(t);
    const reason = new Error('enough');
    const controller = new AbortController();
    const wait = server.waitFor(handle, 'queued', { signal: controller.signal, timeout: Infinity });
    controller.abort(reason);
    await assert.rejects(wait, { name: 'AbortError', code: 'GEARMAN_ABORTED', cause: reason });
    await assert.rejects(server.waitFor(handle, 'queued', { signal: controller.signal }), { code: 'GEARMAN_ABORTED' });
  });

  it('rejects when the server is closed', async (t) => {
    const { server } = await serve(t);
    const wait = server.waitFor(handle, 'queued');
    await Promise.all([server.close(), assert.rejects(wait, { code: 'GEARMAN_SHUTDOWN' })]);
    await assert.rejects(server.waitFor(handle, 'queued'), { code: 'GEARMAN_SHUTDOWN' });
  });

  it('remembers the last jobs that are gone, within limits', async (t) => {
    const { server, client, worker } = await serve(t);
    for (let number = 1; number <= 2001; number++) {
      client.say('SUBMIT_JOB_BG', ['f', '']);
      await client.hear();
      await worker.ask('GRAB_JOB');
      worker.say('WORK_COMPLETE', [`H:server:${number}`]);
    }
    await worker.hearsNothing();
    assert.equal((await server.waitFor('H:server:1002', 'running')).state, 'done');
    await assert.rejects(server.waitFor(handle, 'queued', { timeout: 1 }), { code: 'GEARMAN_TIMEOUT' });
  });

  it('refuses what cannot be meant', async (t) => {
    const { server } = await serve(t);
    const wait = server.waitFor.bind(server) as (...args: unknown[]) => Promise<unknown>;
    for (const args of [
      ['H:other:1', 'done'],
      ['nonsense', 'done'],
      [1, 'done'],
      [{}, 'done'],
      [{ function: 1 }, 'done'],
      [{ fn: 'f' }, 'done'],
      [handle, 'finished'],
      [handle, 'done', { timeout: 0 }],
      [handle, 'done', { timeout: '1' }],
      [handle, 'done', { signal: 1 }],
      [handle, 'done', { time: 1 }],
    ]) {
      await assert.rejects(wait(...args), { code: 'GEARMAN_INVALID_ARGUMENT' }, JSON.stringify(args));
    }
  });
});
