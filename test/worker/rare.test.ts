/** What a worker makes of errors, servers and callers that behave as hardly any do. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { JobRetry } from '../../src/worker/job.js';
import { isPending, settleDown } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, errorPacket, type Script } from '../support/peer.js';
import { ByHand, attend, digested, handOut, jobAssignUniq, noJob, workerOf, working } from '../support/worker.js';

const never: Script = () => undefined;

describe('an error whose message throws', () => {
  it('is an exception without a message, and gives its place back', async (t) => {
    const error = Object.defineProperty(new Error(), 'message', {
      get() {
        throw new Error('never');
      },
    });
    const { connection } = await working(t, {}, { handler: () => Promise.reject(error) });
    connection.send(jobAssignUniq('H:1'));
    const [request] = await connection.seen('WORK_EXCEPTION');
    assert.equal(request?.data.toString(), 'an error without a message');
    await connection.seen('GRAB_JOB_UNIQ', 2);
  });
});

describe('a GRAB_JOB that the server refuses', () => {
  it('is noticed by the answer to what was asked next, and the server is left alone for a while', async (t) => {
    const { worker, clock, peer, connection } = await working(t);
    connection.send(errorPacket('INVALID_COMMAND', 'Command not expected'));
    clock.advance(3000);
    await connection.closed;
    await digested(clock, peer);
    assert.equal(peer.connections.length, 1);
    clock.advance(100);
    await peer.connection(1);
    await worker.close();
  });
});

describe('start()', () => {
  it('resolves when the functions that a server does not have yet are removed', async (t) => {
    const peer = await Peer.start(t, attend, never);
    const worker = workerOf(t, [peer]);
    worker.addFunction('f', () => 'a').addFunction('slow', () => 'b', { concurrency: 1 });
    const started = worker.start();
    await (await peer.connection(0)).seen('GRAB_JOB_UNIQ');
    assert.equal(await isPending(started), true);
    worker.removeFunction('slow');
    await started;
  });

  it('waits again when no function was left and one is added', async (t) => {
    const { worker, peer, connection } = await working(t);
    connection.send(noJob);
    await connection.seen('PRE_SLEEP');
    worker.removeFunction('f');
    await connection.closed;
    peer.follow(never);
    worker.addFunction('g', () => 'a');
    assert.equal(await isPending(worker.start()), true);
  });
});

describe("a function's own concurrency", () => {
  it('counts the jobs that still run after the function was removed and added again', async (t) => {
    const peer = await Peer.start(t, attend);
    const hands = new ByHand();
    const worker = workerOf(t, [peer], { concurrency: 4 }).addFunction('f', hands.handler, { concurrency: 1 });
    await worker.start();
    const first = await peer.connection(0);
    await first.seen('GRAB_JOB_UNIQ');
    first.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    worker.removeFunction('f').addFunction('f', hands.handler, { concurrency: 1 });
    const second = await peer.connection(1);
    await second.seen('ECHO_REQ');
    await settleDown();
    assert.equal(second.names.includes('GRAB_JOB_UNIQ'), false, 'there is no place yet');
    run.end('done');
    await second.seen('GRAB_JOB_UNIQ');
  });
});

describe('a function that is given a concurrency of its own while its jobs run', () => {
  it('is not asked for before they leave it a place', async (t) => {
    const { worker, peer, connection, hands } = await working(t, { concurrency: 4 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'), noJob, noJob);
    const runs = [await hands.run(0), await hands.run(1)];
    worker.removeFunction('f').addFunction('f', hands.handler, { concurrency: 2 });
    const own = await peer.connection(1);
    await own.seen('ECHO_REQ');
    await settleDown();
    assert.equal(own.names.includes('GRAB_JOB_UNIQ'), false, 'there is no place yet');
    runs[0]?.end();
    await own.seen('GRAB_JOB_UNIQ');
    await settleDown();
    assert.equal(own.names.filter((name) => name === 'GRAB_JOB_UNIQ').length, 1);
  });
});

describe('destroy()', () => {
  it('may be called again and again: handlers have a second from the first time on', async (t) => {
    const { worker, clock, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    await hands.run(0);
    const closed = worker.close();
    for (let count = 0; count < 5; count++) {
      worker.destroy();
      clock.advance(200);
    }
    assert.equal(await isPending(closed), false);
  });

  it('in a listener of job:start gives the job back, and its handler is not called', async (t) => {
    const { worker, connection, hands } = await working(t);
    worker.once('job:start', () => {
      worker.destroy();
    });
    connection.send(jobAssignUniq('H:1'));
    await connection.closed;
    await worker.close();
    assert.deepEqual(hands.handles, []);
  });

  it('right behind a result leaves the server with the result', async (t) => {
    const { worker, connection, hands } = await working(t);
    worker.once('job:end', () => {
      worker.destroy();
    });
    connection.send(jobAssignUniq('H:1'));
    (await hands.run(0)).end('result');
    await connection.seen('WORK_COMPLETE');
    await worker.close();
  });
});

describe('jobs that are given back in turn', () => {
  it('make ten connections a second, not one each', async (t) => {
    const [clock, jobs] = [new Clock(), { next: 0 }];
    const peer = await Peer.start(
      t,
      handOut(() => jobAssignUniq(`H:${jobs.next++ % 2}`)),
    );
    const worker = workerOf(t, [peer], { backoff: { min: 100 } }, clock);
    worker.addFunction('f', () => {
      throw new JobRetry();
    });
    await worker.start();
    for (let passedMs = 0; passedMs < 1000; passedMs += 10) {
      clock.advance(10);
      await settleDown();
    }
    assert.ok(peer.connections.length >= 10 && peer.connections.length <= 12, `${peer.connections.length} connections`);
  });
});

describe('a job that is given back again and again', () => {
  it('makes a connection at once the first time, and then after a pause each', async (t) => {
    const clock = new Clock();
    const peer = await Peer.start(t, attend);
    const hands = new ByHand();
    const worker = workerOf(t, [peer], {}, clock).addFunction('f', hands.handler, { timeout: 10, onTimeout: 'retry' });
    await worker.start();
    for (const index of [0, 1]) {
      const connection = await peer.connection(index);
      await connection.seen('GRAB_JOB_UNIQ');
      connection.send(jobAssignUniq('H:1'));
      const run = await hands.run(index);
      clock.advance(10);
      assert.equal(run.job.signal.aborted, true);
      run.end();
      await connection.closed;
    }
    await settleDown();
    assert.equal(peer.connections.length, 2);
    clock.advance(100);
    await peer.connection(2);
  });
});
