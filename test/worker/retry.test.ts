/** Jobs that are given back to the server, and jobs that take too long. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { GearmanError } from '../../src/errors.js';
import { JobRetry, type Job } from '../../src/worker/job.js';
import type { GearmanWorker } from '../../src/worker/worker.js';
import { isPending, settleDown } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, hangUp, type PeerConnection } from '../support/peer.js';
import { ByHand, attend, digested, jobAssignUniq, noJob, startInOrder, workerOf, working } from '../support/worker.js';

/** What a connection was told from some request on, as `WORK_COMPLETE H:1 result`. */
const told = ({ requests }: PeerConnection, from = 0): string[] =>
  requests
    .slice(from)
    .map(({ name, args, data }) => [name, ...args, ...(data.length > 0 ? [data.toString()] : [])].join(' '));

/** How the jobs of a worker end: `H:1 complete`. */
function outcomesOf(worker: GearmanWorker): string[] {
  const outcomes: string[] = [];
  worker.on('job:end', ({ handle }, outcome) => outcomes.push(`${handle} ${outcome}`));
  return outcomes;
}

describe('throw new JobRetry()', () => {
  it('says nothing of the job, and closes its connection, whereupon the server has it again', async (t) => {
    const { worker, peer, connection, hands } = await working(t);
    const outcomes = outcomesOf(worker);
    connection.send(jobAssignUniq('H:1'));
    (await hands.run(0)).fail(new JobRetry());
    await connection.closed;
    assert.deepEqual(told(connection, 3), ['ECHO_REQ']);
    const next = await peer.connection(1);
    await next.seen('GRAB_JOB_UNIQ');
    next.send(jobAssignUniq('H:1'));
    (await hands.run(1)).end('second try');
    await next.seen('WORK_COMPLETE');
    assert.deepEqual(told(next).slice(0, 4), [
      ...['CAN_DO f', 'ECHO_REQ', 'GRAB_JOB_UNIQ', 'WORK_COMPLETE H:1 second try'],
    ]);
    assert.deepEqual(outcomes, ['H:1 retry', 'H:1 complete']);
  });

  it('lets the other jobs of the connection end first, and asks for jobs on another one meanwhile', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { concurrency: 3, id: 'w' });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'), jobAssignUniq('H:3'));
    await hands.run(2);
    hands.runs[1]?.fail(new JobRetry());
    const next = await peer.connection(1);
    await next.seen('GRAB_JOB_UNIQ');
    assert.deepEqual(told(next), ['SET_CLIENT_ID w', 'CAN_DO f', 'ECHO_REQ', 'GRAB_JOB_UNIQ']);
    next.send(jobAssignUniq('H:4'));
    await hands.run(3);
    const { requests } = connection;
    const before = requests.length;
    await hands.runs[0]?.job.sendData('part');
    hands.runs[0]?.end('first');
    // The place that is free is for the connection that has taken the other's place.
    await next.seen('GRAB_JOB_UNIQ', 2);
    await digested(clock, peer);
    assert.deepEqual(told(connection, before), ['WORK_DATA H:1 part', 'WORK_COMPLETE H:1 first']);
    assert.equal(await isPending(connection.closed), true);
    hands.runs[2]?.fail(new Error('third'));
    await connection.closed;
    assert.deepEqual(told(connection, before).slice(2), ['WORK_EXCEPTION H:3 third', 'ECHO_REQ']);
    assert.deepEqual(
      hands.runs.map(({ job }) => job.signal.aborted),
      [false, false, false, false],
    );
    hands.runs[3]?.end('fourth');
    await next.seen('WORK_COMPLETE');
    assert.equal(peer.connections.length, 2);
  });

  it('waits for requests that are under way, and runs what they bring', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { concurrency: 3 });
    connection.send(jobAssignUniq('H:1'));
    (await hands.run(0)).fail(new JobRetry());
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ');
    await digested(clock, peer);
    assert.equal(await isPending(connection.closed), true);
    connection.send(noJob, jobAssignUniq('H:2'));
    const run = await hands.run(1);
    await digested(clock, peer);
    assert.deepEqual(connection.names.slice(-1), ['GRAB_JOB_UNIQ'], 'it does not fall asleep');
    run.end('result');
    await connection.closed;
    assert.deepEqual(told(connection, 5), ['WORK_COMPLETE H:2 result', 'ECHO_REQ']);
    assert.equal(peer.connections.length, 2);
  });

  it('of several jobs of a connection makes one connection more', async (t) => {
    class Later extends JobRetry {}
    const { clock, peer, connection, hands } = await working(t, { concurrency: 3 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'), jobAssignUniq('H:3'));
    await hands.run(2);
    hands.runs[0]?.fail(new JobRetry());
    hands.runs[1]?.fail(new Later());
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ', 2);
    hands.runs[2]?.fail(new JobRetry('not now'));
    await connection.closed;
    await digested(clock, ...[]);
    assert.equal(peer.connections.length, 2);
    assert.deepEqual(told(connection, 5), ['ECHO_REQ']);
  });

  it('may be thrown at once, and while the worker sleeps', async (t) => {
    const handler = (): never => {
      throw new JobRetry();
    };
    const immediate = await working(t, {}, { handler });
    immediate.connection.send(jobAssignUniq('H:1'));
    await immediate.connection.closed;
    await (await immediate.peer.connection(1)).seen('GRAB_JOB_UNIQ');

    const { peer, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'), noJob);
    await connection.seen('PRE_SLEEP');
    (await hands.run(0)).fail(new JobRetry());
    await connection.closed;
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ', 2);
  });

  it('concerns no connection to another server, or of a function with a concurrency of its own', async (t) => {
    const peers = [await Peer.start(t), await Peer.start(t)];
    const [clock, hands] = [new Clock(), new ByHand()];
    const worker = workerOf(t, peers, { concurrency: 2 }, clock).addFunction('f', hands.handler);
    const [first, other] = await startInOrder(worker, peers);
    assert.ok(first !== undefined && other !== undefined, 'two connections');
    for (const peer of peers) peer.follow(attend);
    worker.addFunction('g', hands.handler, { concurrency: 1 });
    const own = await peers[0]?.connection(1);
    await own?.seen('ECHO_REQ');
    first.send(jobAssignUniq('H:1'));
    (await hands.run(0)).fail(new JobRetry());
    first.send(noJob);
    await first.closed;
    await peers[0]?.connection(2);
    await digested(clock, ...[]);
    assert.deepEqual([peers[0]?.connections.length, peers[1]?.connections.length], [3, 2]);
    for (const each of [own, other]) assert.equal(each?.socket.destroyed, false);
  });

  it('is no failure of the server: nobody is told that it was lost', async (t) => {
    const { worker, peer, connection, hands } = await working(t);
    const events: string[] = [];
    for (const name of ['connect', 'disconnect'] as const) worker.on(name, () => events.push(name));
    connection.send(jobAssignUniq('H:1'));
    (await hands.run(0)).fail(new JobRetry());
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ');
    await connection.closed;
    assert.deepEqual(events, []);
  });

  it('leaves the other jobs alone when the server takes no new connection', async (t) => {
    const peer = await Peer.start(t, attend, hangUp);
    const [clock, hands] = [new Clock(), new ByHand()];
    const worker = workerOf(t, [peer], { concurrency: 2 }, clock).addFunction('f', hands.handler);
    await worker.start();
    const connection = await peer.connection(0);
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const [run] = [await hands.run(0), await hands.run(1)];
    const down = once(worker, 'disconnect');
    run.fail(new JobRetry());
    await down;
    hands.runs[1]?.end('result');
    await connection.closed;
    assert.deepEqual(told(connection, 4), ['WORK_COMPLETE H:2 result', 'ECHO_REQ']);
    peer.follow(attend);
    clock.advance(50);
    await (await peer.connection(2)).seen('GRAB_JOB_UNIQ', 2);
  });

  it('has a name and may have a message', () => {
    const { name, message } = new JobRetry('the printer is off');
    assert.deepEqual([name, message], ['JobRetry', 'the printer is off']);
  });
});

describe('a job that takes longer than timeout', () => {
  it('fails, and its signal says why', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(
      t,
      { concurrency: 2, heartbeat: Infinity },
      { timeout: 5000 },
    );
    const outcomes = outcomesOf(worker);
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const [{ job }, other] = [await hands.run(0), await hands.run(1)];
    clock.advance(4999);
    assert.equal(job.signal.aborted, false);
    other.end('in time');
    await connection.seen('WORK_COMPLETE');
    clock.advance(1);
    await connection.seen('WORK_FAIL');
    const reason = job.signal.reason as GearmanError;
    assert.deepEqual([reason.code, reason.handle, reason.function], ['GEARMAN_TIMEOUT', 'H:1', 'f']);
    assert.equal(reason.message, 'The job H:1 took longer than 5000 ms (the option timeout of f).');
    assert.equal(other.job.signal.aborted, false);
    clock.advance(60_000);
    await settleDown();
    assert.equal(other.job.signal.aborted, false);
    assert.equal(peer.connections.length, 1);
    assert.deepEqual(outcomes, ['H:2 complete']);
  });

  it('keeps its place until its handler has ended, whose result is not sent', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, {}, { timeout: 1000 });
    const [outcomes, errors] = [outcomesOf(worker), [] as Error[]];
    worker.on('job:error', (_job: Job, error: Error) => errors.push(error));
    connection.send(jobAssignUniq('H:1'));
    const { job, end } = await hands.run(0);
    clock.advance(1000);
    await connection.seen('WORK_FAIL');
    job.sendStatus(1, 2);
    await job.sendData('late');
    await job.sendWarning('late');
    await digested(clock, peer);
    assert.equal(connection.names.at(-1), 'WORK_FAIL');
    assert.deepEqual(outcomes, []);
    end('late');
    await connection.seen('GRAB_JOB_UNIQ', 2);
    assert.deepEqual(connection.names.slice(3), ['WORK_FAIL', 'GRAB_JOB_UNIQ']);
    assert.deepEqual(outcomes, ['H:1 fail']);
    assert.deepEqual(errors, [job.signal.reason]);
    assert.throws(() => job.sendStatus(1, 2), /had ended/);
  });

  it('is not failed twice when its handler throws the reason of its signal', async (t) => {
    const handler = async ({ signal }: Job): Promise<void> => {
      await once(signal, 'abort');
      signal.throwIfAborted();
    };
    const { worker, clock, connection } = await working(t, {}, { timeout: 1000, handler });
    const outcomes = outcomesOf(worker);
    const begun = once(worker, 'job:start');
    connection.send(jobAssignUniq('H:1'));
    await begun;
    clock.advance(1000);
    await connection.seen('GRAB_JOB_UNIQ', 2);
    assert.deepEqual(told(connection, 3), ['WORK_FAIL H:1', 'GRAB_JOB_UNIQ']);
    assert.deepEqual(outcomes, ['H:1 fail']);
  });

  it("is given back with onTimeout: 'retry', and its connection is closed at once", async (t) => {
    const fn = { timeout: 1000, onTimeout: 'retry' } as const;
    const { worker, clock, peer, connection, hands } = await working(t, {}, fn);
    const outcomes = outcomesOf(worker);
    connection.send(jobAssignUniq('H:1'));
    const { job, end } = await hands.run(0);
    clock.advance(1000);
    assert.equal((job.signal.reason as GearmanError).code, 'GEARMAN_TIMEOUT');
    job.sendStatus(1, 2);
    await job.sendData('late');
    await connection.closed;
    assert.deepEqual(told(connection, 3), ['ECHO_REQ']);
    const next = await peer.connection(1);
    await next.seen('ECHO_REQ');
    await settleDown();
    assert.deepEqual(told(next), ['CAN_DO f', 'ECHO_REQ'], 'the handler has its place');
    end('late');
    await next.seen('GRAB_JOB_UNIQ');
    await digested(clock, ...[]);
    assert.deepEqual(told(next), ['CAN_DO f', 'ECHO_REQ', 'GRAB_JOB_UNIQ']);
    assert.deepEqual(outcomes, ['H:1 retry']);
  });

  it('has the time of its own function, and none by default', async (t) => {
    const { worker, clock, connection, hands } = await working(t, { concurrency: 3, heartbeat: Infinity });
    worker.addFunction('g', hands.handler, { timeout: 1000 }).addFunction('h', hands.handler, { timeout: 2000 });
    connection.send(jobAssignUniq('H:1', 'f'), jobAssignUniq('H:2', 'g'), jobAssignUniq('H:3', 'h'));
    await hands.run(2);
    const aborted = (): boolean[] => hands.runs.map(({ job }) => job.signal.aborted);
    clock.advance(1999);
    assert.deepEqual(aborted(), [false, true, false]);
    clock.advance(1);
    assert.deepEqual(aborted(), [false, true, true]);
    clock.advance(100_000);
    assert.deepEqual(aborted(), [false, true, true]);
  });

  it('is lost when its connection was lost before', async (t) => {
    const { worker, clock, connection, hands } = await working(t, {}, { timeout: 1000, onTimeout: 'retry' });
    const outcomes = outcomesOf(worker);
    connection.send(jobAssignUniq('H:1'));
    const { job, end } = await hands.run(0);
    const aborted = once(job.signal, 'abort');
    connection.reset();
    await aborted;
    clock.advance(1000);
    end();
    await settleDown();
    assert.equal((job.signal.reason as GearmanError).code, 'GEARMAN_LOST_CONNECTION');
    assert.deepEqual(outcomes, ['H:1 lost']);
  });

  it('is not blamed for the time in which the process stood still', async (t) => {
    const { clock, connection, hands } = await working(t, {}, { timeout: 1000 });
    connection.send(jobAssignUniq('H:1'));
    const { job } = await hands.run(0);
    clock.stall(5000);
    await settleDown();
    assert.equal(job.signal.aborted, false);
    clock.advance(1000);
    assert.equal(job.signal.aborted, true);
  });
});
