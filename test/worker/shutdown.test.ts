/** How a worker ends: close() lets its jobs end, a timeout and destroy() cut them off, and it may close by itself. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { GearmanError } from '../../src/errors.js';
import { JobRetry } from '../../src/worker/job.js';
import { isPending, settleDown } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, echoRes, freeze, hangUp } from '../support/peer.js';
import {
  ByHand,
  attend,
  digested,
  jobAssignUniq,
  noJob,
  noop,
  startInOrder,
  workerOf,
  working,
} from '../support/worker.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('close()', () => {
  it('lets the jobs end that run, tells the server, waits for its answer, and leaves', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const runs = [await hands.run(0), await hands.run(1)];
    connection.onRequest = silent;
    const closed = worker.close();
    await runs[0]?.job.sendData('part');
    runs[0]?.end('first');
    await connection.seen('WORK_COMPLETE');
    await digested(clock, peer);
    assert.equal(await isPending(closed), true);
    runs[1]?.fail(new Error('second'));
    await connection.seen('ECHO_REQ', 2);
    assert.equal(await isPending(closed), true);
    assert.equal(connection.socket.readyState, 'open');
    connection.send(echoRes(Buffer.alloc(0)));
    await connection.closed;
    await closed;
    assert.deepEqual(connection.names.slice(4), ['WORK_DATA', 'WORK_COMPLETE', 'WORK_EXCEPTION', 'ECHO_REQ']);
    assert.equal(runs.filter(({ job }) => job.signal.aborted).length, 0);
  });

  it('waits for requests that are under way, and runs what they bring', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, { concurrency: 3 });
    const closed = worker.close();
    await digested(clock, peer);
    assert.equal(connection.names.at(-1), 'GRAB_JOB_UNIQ', 'an ECHO would not tell that no job comes');
    connection.send(noJob, noop, jobAssignUniq('H:1'), noJob);
    const run = await hands.run(0);
    await digested(clock, peer);
    assert.equal(await isPending(closed), true);
    run.end('result');
    await closed;
    assert.deepEqual(connection.names.slice(5), ['WORK_COMPLETE', 'ECHO_REQ']);
  });

  it('of a worker that sleeps leaves at once', async (t) => {
    const { worker, connection } = await working(t);
    connection.send(noJob);
    await connection.seen('PRE_SLEEP');
    await worker.close();
    await connection.closed;
    assert.deepEqual(connection.names.slice(3), ['PRE_SLEEP', 'ECHO_REQ']);
  });

  it('leaves all servers, and connections that only end their jobs', async (t) => {
    const peers = [await Peer.start(t), await Peer.start(t)];
    const [clock, hands] = [new Clock(), new ByHand()];
    const worker = workerOf(t, peers, { concurrency: 3 }, clock).addFunction('f', hands.handler);
    const [first] = await startInOrder(worker, peers);
    for (const peer of peers) peer.follow(attend);
    worker.addFunction('g', hands.handler, { concurrency: 1 });
    first?.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'), noJob);
    await hands.run(1);
    hands.runs[0]?.fail(new JobRetry());
    await peers[0]?.connection(2);
    await digested(clock, ...peers);
    const closed = worker.close();
    for (const connection of peers.flatMap(({ connections }) => connections)) {
      const { requests } = connection;
      const grabs = requests.filter(({ name }) => name === 'GRAB_JOB_UNIQ').length;
      if (connection !== first) connection.send(...indexes(grabs).map(() => noJob));
    }
    await digested(clock);
    assert.equal(await isPending(closed), true);
    hands.runs[1]?.end('result');
    await closed;
    assert.deepEqual([peers[0]?.connections.length, peers[1]?.connections.length], [3, 2]);
    await Promise.all(peers.flatMap(({ connections }) => connections.map((connection) => connection.closed)));
    assert.deepEqual(first?.names.slice(-2), ['WORK_COMPLETE', 'ECHO_REQ']);
  });

  it('gives a job back that asks for it meanwhile', async (t) => {
    const { worker, peer, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    const closed = worker.close();
    run.fail(new JobRetry());
    await closed;
    assert.deepEqual(connection.names.slice(3), ['ECHO_REQ']);
    assert.equal(peer.connections.length, 1);
  });

  it('does not wait for servers that are not there, or do not answer yet', async (t) => {
    const [gone, frozen] = [await Peer.start(t, hangUp), await Peer.start(t, freeze)];
    const clock = new Clock();
    const worker = workerOf(t, [gone, frozen], { heartbeat: 2000 }, clock).addFunction('f', silent);
    void worker.start().catch(silent);
    await (
      await gone.connection(0)
    ).closed;
    await frozen.connection(0);
    await settleDown();
    const closed = worker.close();
    const startMs = clock.now();
    await clock.advanceUntil(closed);
    assert.ok(clock.now() - startMs <= 4100, 'a heartbeat for its silence, and one for its answer');
    clock.advance(60_000);
    await settleDown();
    assert.deepEqual([gone.connections.length, frozen.connections.length], [1, 1]);
  });

  it('does not wait for ever for a server that died during a job', async (t) => {
    const { worker, clock, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    connection.onRequest = silent;
    const closed = worker.close();
    run.end('result');
    await connection.seen('ECHO_REQ', 2);
    await clock.advanceUntil(closed);
    assert.ok(clock.now() < 7000, `${clock.now()} ms`);
  });

  it('before start() connects to nothing', async (t) => {
    const peer = await Peer.start(t, attend);
    const worker = workerOf(t, [peer]).addFunction('f', silent);
    await worker.close();
    await worker.close({ timeout: 1 });
    assert.equal(peer.connections.length, 0);
  });

  it('may be called again and again, also after destroy()', async (t) => {
    const { worker, clock, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    const all = [worker.close(), worker.close(), worker.close({ timeout: 5000 })];
    assert.equal(await isPending(Promise.race(all)), true);
    run.end('result');
    await Promise.all(all);
    await worker.close();
    worker.destroy();
    await worker.close();
    assert.deepEqual(connection.names.slice(3), ['WORK_COMPLETE', 'ECHO_REQ']);
    clock.advance(60_000);
    assert.equal(clock.alarms, 0, 'nothing is waited for');
  });

  it('is what await using calls', async (t) => {
    const { worker, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    const disposed = worker[Symbol.asyncDispose]();
    run.end('result');
    await disposed;
    await connection.closed;
    assert.deepEqual(connection.names.slice(3), ['WORK_COMPLETE', 'ECHO_REQ']);
  });
});

describe('close({ timeout })', () => {
  it('aborts the signals of the jobs that still run, and leaves: the server has them again', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, { concurrency: 2 });
    const outcomes: unknown[] = [];
    worker.on('job:end', ({ handle }, outcome) => outcomes.push([handle, outcome]));
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const [inTime, late] = [await hands.run(0), await hands.run(1)];
    const closed = worker.close({ timeout: 1500 });
    inTime.end('in time');
    await connection.seen('WORK_COMPLETE');
    clock.advance(1499);
    assert.equal(late.job.signal.aborted, false);
    clock.advance(1);
    const { code, message } = late.job.signal.reason as GearmanError;
    assert.deepEqual([code, message], ['GEARMAN_SHUTDOWN', 'The worker was cut off.']);
    assert.equal(inTime.job.signal.aborted, false);
    await connection.closed;
    await clock.advanceUntil(closed, 100);
    late.job.sendStatus(1, 2);
    await late.job.sendData('late');
    late.end('late');
    await settleDown();
    assert.deepEqual(outcomes, [
      ['H:1', 'complete'],
      ['H:2', 'lost'],
    ]);
    assert.deepEqual(connection.names.slice(4), ['WORK_COMPLETE']);
    assert.equal(peer.connections.length, 1);
  });

  it('cuts nothing that has ended by then', async (t) => {
    const { worker, clock, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    const closed = worker.close({ timeout: 1000 });
    clock.advance(999);
    run.end('result');
    await closed;
    clock.advance(1000);
    assert.equal(run.job.signal.aborted, false);
    assert.deepEqual(connection.names.slice(3), ['WORK_COMPLETE', 'ECHO_REQ']);
  });

  for (const [what, timeouts, dueMs] of [
    ['a later one that is shorter', [2000, 500], 500],
    ['the first when a later one is longer', [500, 2000], 500],
    ['one after none', [undefined, 700], 700],
    ['one before none', [700, undefined], 700],
  ] as const) {
    it(`may be called again, and the shortest timeout wins: ${what}`, async (t) => {
      const { worker, clock, connection, hands } = await working(t, { heartbeat: Infinity });
      connection.send(jobAssignUniq('H:1'));
      const { job } = await hands.run(0);
      const all = timeouts.map((timeout) => worker.close({ timeout }));
      clock.advance(dueMs - 1);
      assert.equal(job.signal.aborted, false);
      clock.advance(1);
      assert.equal(job.signal.aborted, true);
      await clock.advanceUntil(Promise.all(all), 100);
    });
  }
});

describe('destroy()', () => {
  it('aborts and leaves at once, whatever is under way', async (t) => {
    const { worker, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    worker.destroy();
    assert.equal((run.job.signal.reason as GearmanError).code, 'GEARMAN_SHUTDOWN');
    run.end('late');
    worker.destroy();
    await worker.close();
    await connection.closed;
    assert.deepEqual(connection.names.slice(4), []);
  });

  it('ends a close() that waits, a second later where a handler does not heed its signal', async (t) => {
    const { worker, clock, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    await hands.run(0);
    const closed = worker.close();
    worker.destroy();
    await connection.closed;
    clock.advance(999);
    assert.equal(await isPending(closed), true);
    clock.advance(1);
    await closed;
  });

  it('ends a close() that waits as soon as the last handler has ended', async (t) => {
    const { worker, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    const closed = worker.close();
    worker.destroy();
    run.end('late');
    await closed;
  });
});

describe('pause()', () => {
  it('asks for no more jobs until resume(); what was asked for is done', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'));
    (await hands.run(0)).end('first');
    await connection.seen('GRAB_JOB_UNIQ', 3);
    worker.pause();
    connection.send(jobAssignUniq('H:2'));
    (await hands.run(1)).end('second');
    await connection.seen('WORK_COMPLETE', 2);
    connection.send(noJob);
    await connection.seen('PRE_SLEEP');
    connection.send(noop);
    await digested(clock, peer);
    for (let count = 0; count < 20; count++) {
      clock.advance(3000);
      await digested(clock, peer);
    }
    const isOfJobs = (name: string): boolean => name !== 'ECHO_REQ';
    assert.deepEqual(connection.names.slice(5).filter(isOfJobs), ['GRAB_JOB_UNIQ', 'WORK_COMPLETE', 'PRE_SLEEP']);
    assert.equal(peer.connections.length, 1);
    worker.resume();
    await connection.seen('GRAB_JOB_UNIQ', 5);
  });

  it('registers all the same', async (t) => {
    const { worker, clock, peer, connection } = await working(t);
    worker.pause();
    const down = once(worker, 'disconnect');
    connection.reset();
    await down;
    const up = once(worker, 'connect');
    clock.advance(50);
    await up;
    const next = await peer.connection(1);
    assert.deepEqual(next.names, ['CAN_DO', 'ECHO_REQ']);
    worker.resume();
    await next.seen('GRAB_JOB_UNIQ');
  });

  it('and resume() may be called at any time', async (t) => {
    const { worker, clock, peer, connection } = await working(t);
    worker.resume().resume();
    worker.pause().pause().resume();
    await digested(clock, peer);
    assert.equal(connection.names.length, 3);
    connection.send(noJob);
    await worker.close();
    worker.pause().resume();
    assert.equal(connection.names.at(-1), 'ECHO_REQ');
  });
});

describe('maxJobs', () => {
  it('closes the worker when it has run so many, however they ended; it never asks for more', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, { concurrency: 2, maxJobs: 3 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    (await hands.run(0)).end();
    await connection.seen('GRAB_JOB_UNIQ', 3);
    (await hands.run(1)).fail(new Error('second'));
    await connection.seen('WORK_EXCEPTION');
    await digested(clock, peer);
    connection.send(jobAssignUniq('H:3'));
    const last = await hands.run(2);
    await digested(clock, peer);
    assert.equal(await isPending(connection.closed), true);
    last.end();
    await connection.closed;
    assert.deepEqual(connection.names.slice(2), [
      ...['GRAB_JOB_UNIQ', 'GRAB_JOB_UNIQ', 'WORK_COMPLETE', 'GRAB_JOB_UNIQ'],
      ...['WORK_EXCEPTION', 'WORK_COMPLETE', 'ECHO_REQ'],
    ]);
    await worker.close();
  });

  it('does not count requests that brought no job', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, { concurrency: 4, maxJobs: 1 });
    assert.equal(connection.names.at(-1), 'GRAB_JOB_UNIQ');
    for (const round of indexes(3)) {
      connection.send(noJob);
      await connection.seen('PRE_SLEEP', round + 1);
      clock.advance(100);
      connection.send(noop);
      await connection.seen('GRAB_JOB_UNIQ', round + 2);
    }
    const down = once(worker, 'disconnect');
    connection.reset();
    await down;
    clock.advance(50);
    const next = await peer.connection(1);
    await next.seen('GRAB_JOB_UNIQ');
    next.send(jobAssignUniq('H:1'));
    (await hands.run(0)).end();
    await next.closed;
    assert.deepEqual(next.names, ['CAN_DO', 'ECHO_REQ', 'GRAB_JOB_UNIQ', 'WORK_COMPLETE', 'ECHO_REQ']);
  });
});

describe('idleTimeout', () => {
  it('does not pass while the worker is paused', async (t) => {
    const { worker, clock, peer, connection } = await working(t, { idleTimeout: 1000, heartbeat: Infinity });
    connection.send(noJob);
    await connection.seen('PRE_SLEEP');
    worker.pause();
    clock.advance(5000);
    await settleDown();
    assert.equal(await isPending(connection.closed), true);
    worker.resume();
    clock.advance(999);
    await digested(clock, peer);
    assert.equal(await isPending(connection.closed), true);
    clock.advance(1);
    await connection.closed;
  });

  it('closes the worker when it has had no job for so long, from its start on', async (t) => {
    const { clock, peer, connection } = await working(t, { idleTimeout: 10_000, heartbeat: 3000 });
    for (const round of indexes(3)) {
      connection.send(noJob);
      await connection.seen('PRE_SLEEP', round + 1);
      clock.advance(3000);
      await connection.seen('GRAB_JOB_UNIQ', round + 2);
    }
    connection.send(noJob);
    await connection.seen('PRE_SLEEP', 4);
    clock.advance(999);
    await digested(clock, peer);
    assert.equal(await isPending(connection.closed), true);
    clock.advance(1);
    await connection.closed;
  });

  it('begins anew after each job, and does not run during one', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { idleTimeout: 1000, heartbeat: Infinity });
    clock.advance(900);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    clock.advance(5000);
    run.end();
    await connection.seen('GRAB_JOB_UNIQ', 2);
    connection.send(noJob);
    await connection.seen('PRE_SLEEP');
    clock.advance(999);
    await digested(clock, peer);
    assert.equal(await isPending(connection.closed), true);
    clock.advance(1);
    await connection.closed;
    assert.deepEqual(connection.names.slice(-2), ['PRE_SLEEP', 'ECHO_REQ']);
  });
});
