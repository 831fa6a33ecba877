/** What a worker tells a job server before it asks for jobs, and how it goes on when a server comes and goes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { isPending, rejection, settleDown } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, echoRes, freeze, hangUp, type PeerConnection } from '../support/peer.js';
import { ByHand, attend, digested, jobAssignUniq, noJob, workerOf, working } from '../support/worker.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
/** What a connection was told, as `CAN_DO f`. */
const told = ({ requests }: PeerConnection): string[] => requests.map(({ name, args }) => [name, ...args].join(' '));
const names = (count: number, name: string): string[] => Array.from({ length: count }, () => name);

describe('a started worker', () => {
  it('tells the server its id and its functions, and then asks for its answer and for jobs', async (t) => {
    const peer = await Peer.start(t, attend);
    const worker = workerOf(t, [peer], { id: 'worker-1', prefix: 'p:', concurrency: 2 });
    worker.addFunction('a', silent).addFunction('b c', silent);
    await worker.start();
    const connection = await peer.connection(0);
    await connection.received(6);
    assert.deepEqual(told(connection), [
      ...['SET_CLIENT_ID worker-1', 'CAN_DO p:a', 'CAN_DO p:b c'],
      ...['ECHO_REQ', 'GRAB_JOB_UNIQ', 'GRAB_JOB_UNIQ'],
    ]);
  });

  it('has no id by default', async (t) => {
    const { connection } = await working(t);
    assert.deepEqual(told(connection), ['CAN_DO f', 'ECHO_REQ', 'GRAB_JOB_UNIQ']);
  });

  it('asks the server for a timeout only where that is wanted, in milliseconds', async (t) => {
    const peer = await Peer.start(t, attend);
    const worker = workerOf(t, [peer]);
    worker.addFunction('a', silent, { timeout: 5000, serverTimeout: 60_000 });
    worker.addFunction('b', silent, { timeout: 5000 }).addFunction('c', silent, { serverTimeout: 0.1 });
    await worker.start();
    const connection = await peer.connection(0);
    assert.deepEqual(told(connection).slice(0, 3), ['CAN_DO_TIMEOUT a 60000', 'CAN_DO b', 'CAN_DO_TIMEOUT c 1']);
  });

  it('asks for reducers where a function wants to know them, and only there', async (t) => {
    const peer = await Peer.start(t, attend, attend);
    const worker = workerOf(t, [peer], { concurrency: 2 });
    worker.addFunction('a', silent, { concurrency: 1 });
    worker.addFunction('b', silent, { concurrency: 1, reducer: true });
    await worker.start();
    const connections = [await peer.connection(0), await peer.connection(1)];
    for (const connection of connections) await connection.received(3);
    assert.deepEqual(connections.map(told), [
      ['CAN_DO a', 'ECHO_REQ', 'GRAB_JOB_UNIQ'],
      ['CAN_DO b', 'ECHO_REQ', 'GRAB_JOB_ALL'],
    ]);
  });

  it('asks for no job before the server has answered', async (t) => {
    const peer = await Peer.start(t, silent);
    const worker = workerOf(t, [peer]).addFunction('f', silent);
    const started = worker.start();
    const connection = await peer.connection(0);
    await connection.received(2);
    assert.equal(await isPending(started), true);
    assert.deepEqual(told(connection), ['CAN_DO f', 'ECHO_REQ']);
    connection.send(echoRes(Buffer.alloc(0)));
    await started;
    await connection.seen('GRAB_JOB_UNIQ');
  });

  it('connects to every server, each in its own time', async (t) => {
    const peers = [await Peer.start(t, silent), await Peer.start(t, attend), await Peer.start(t, hangUp, attend)];
    const clock = new Clock();
    const worker = workerOf(t, peers, { concurrency: 3 }, clock).addFunction('f', silent);
    const connected: string[] = [];
    worker.on('connect', (server) => connected.push(server));
    await worker.start();
    assert.deepEqual(connected, [peers[1]?.name]);
    await clock.advanceUntil(once(worker, 'connect'));
    assert.deepEqual(connected, [peers[1]?.name, peers[2]?.name]);
  });

  it('verifies certificates where TLS is asked for', async (t) => {
    const peer = await Peer.start(t);
    const worker = workerOf(t, [peer], { tls: { servername: 'job.example' } }).addFunction('f', silent);
    void worker.start().catch(silent);
    const { socket } = await peer.connection(0);
    const [hello] = (await once(socket, 'data')) as [Buffer];
    assert.equal(hello[0], 22, 'a TLS handshake');
    assert.ok(hello.includes('job.example'), 'with the options that were given');
  });
});

describe('start()', () => {
  it('resolves when the first server has the functions', async (t) => {
    const [frozen, peer, closed] = [await Peer.start(t, freeze), await Peer.start(t, attend), await Peer.start(t)];
    closed.refuse();
    const worker = workerOf(t, [closed, frozen, peer]).addFunction('f', silent);
    await worker.start();
    await (await peer.connection(0)).seen('GRAB_JOB_UNIQ');
  });

  it('goes on until there is one', async (t) => {
    const peer = await Peer.start(t, attend);
    peer.refuse();
    const clock = new Clock();
    const started = workerOf(t, [peer], {}, clock).addFunction('f', silent).start();
    await settleDown();
    clock.advance(60_000);
    assert.equal(await isPending(started), true);
    await peer.reopen();
    await clock.advanceUntil(started);
  });

  it('may be called again, and starts nothing a second time', async (t) => {
    const peer = await Peer.start(t, attend);
    const worker = workerOf(t, [peer]).addFunction('f', silent);
    await Promise.all([worker.start(), worker.start()]);
    await worker.start();
    await (await peer.connection(0)).seen('GRAB_JOB_UNIQ');
    assert.equal(peer.connections.length, 1);
  });

  it('rejects without a function, and may be called when there is one', async (t) => {
    const peer = await Peer.start(t, attend);
    const worker = workerOf(t, [peer]);
    const error = await rejection(worker.start(), 'GEARMAN_INVALID_ARGUMENT');
    assert.match(error.message, /^The worker has no function\. Add one with addFunction\(\)\.$/);
    worker.addFunction('f', silent);
    await worker.start();
  });

  it('rejects after close() and destroy()', async (t) => {
    const peer = await Peer.start(t, attend);
    for (const method of ['close', 'destroy'] as const) {
      const worker = workerOf(t, [peer]).addFunction('f', silent);
      await worker[method]();
      assert.match((await rejection(worker.start(), 'GEARMAN_SHUTDOWN')).message, /worker was closed/);
    }
    assert.equal(peer.connections.length, 0);
  });

  it('rejects when the worker is closed before a server has answered', async (t) => {
    const peer = await Peer.start(t, silent);
    const worker = workerOf(t, [peer]).addFunction('f', silent);
    const started = [rejection(worker.start(), 'GEARMAN_SHUTDOWN'), rejection(worker.start(), 'GEARMAN_SHUTDOWN')];
    const connection = await peer.connection(0);
    await connection.received(2);
    const closed = worker.close();
    await Promise.all(started);
    await connection.seen('ECHO_REQ', 2);
    connection.send(echoRes(Buffer.alloc(0)), echoRes(Buffer.alloc(0)));
    await closed;
    assert.deepEqual(told(connection), ['CAN_DO f', 'ECHO_REQ', 'ECHO_REQ']);
  });
});

describe('a server that fails', () => {
  it('is told everything again, after a pause', async (t) => {
    const { worker, clock, peer, connection } = await working(t, { id: 'w' });
    const events: string[] = [];
    worker.on('connect', (server) => events.push(`connect ${server}`));
    worker.on('disconnect', (server, { code }) => events.push(`disconnect ${server} ${code}`));
    const down = once(worker, 'disconnect');
    connection.reset();
    await down;
    clock.advance(49);
    await settleDown();
    assert.equal(peer.connections.length, 1);
    clock.advance(1);
    const next = await peer.connection(1);
    await next.received(4);
    assert.deepEqual(told(next), ['SET_CLIENT_ID w', 'CAN_DO f', 'ECHO_REQ', 'GRAB_JOB_UNIQ']);
    assert.deepEqual(events, [`disconnect ${peer.name} GEARMAN_LOST_CONNECTION`, `connect ${peer.name}`]);
  });

  it('is left alone for a pause that doubles, to the longest, until it has worked for as long as that', async (t) => {
    const peer = await Peer.start(t, hangUp);
    const clock = new Clock();
    const worker = workerOf(t, [peer], { backoff: { min: 100, max: 300 } }, clock).addFunction('f', silent);
    const started = worker.start();
    for (const [index, pause] of [50, 100, 150, 150].entries()) {
      await (
        await peer.connection(index)
      ).closed;
      await settleDown();
      clock.advance(pause - 1);
      await settleDown();
      assert.equal(peer.connections.length, index + 1, `the pause of ${pause} ms is not over`);
      clock.advance(1);
      await peer.connection(index + 1);
    }
    assert.equal(await isPending(started), true);

    await peer.connections.at(-1)?.closed;
    peer.follow(attend);
    await clock.advanceUntil(started);
    const registered = await peer.connection(5);
    clock.advance(300);
    registered.reset();
    await once(worker, 'disconnect');
    clock.advance(49);
    await settleDown();
    assert.equal(peer.connections.length, 6);
    clock.advance(1);
    await peer.connection(6);
  });

  it('gives back the places that were taken to ask it for jobs', async (t) => {
    const [peer, other] = [await Peer.start(t, attend), await Peer.start(t, silent)];
    const [clock, hands] = [new Clock(), new ByHand()];
    const worker = workerOf(t, [peer, other], { concurrency: 2 }, clock).addFunction('f', hands.handler);
    await worker.start();
    await (await peer.connection(0)).seen('GRAB_JOB_UNIQ', 2);
    const living = await other.connection(0);
    await living.seen('ECHO_REQ');
    living.send(echoRes(Buffer.alloc(0)));
    await once(worker, 'connect');
    peer.crash();
    await living.seen('GRAB_JOB_UNIQ', 2);
    living.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    await hands.run(1);
  });

  it('is one that accepts connections and says nothing within connectTimeout', async (t) => {
    const [frozen, clock] = [await Peer.start(t, silent, attend), new Clock()];
    const worker = workerOf(t, [frozen], { connectTimeout: 1000, heartbeat: 60_000 }, clock).addFunction('f', silent);
    const events: string[] = [];
    worker.on('disconnect', (server, { code }) => events.push(`disconnect ${server} ${code}`));
    const started = worker.start();
    const connection = await frozen.connection(0);
    await connection.received(2);
    clock.advance(999);
    assert.equal(await isPending(connection.closed), true);
    clock.advance(1);
    await connection.closed;
    clock.advance(50);
    await started;
    assert.deepEqual(events, [`disconnect ${frozen.name} GEARMAN_TIMEOUT`]);
  });

  it('is told of once, however often it cannot be reached, until it has the functions', async (t) => {
    const [peer, clock] = [await Peer.start(t, hangUp, hangUp, attend, silent), new Clock()];
    const worker = workerOf(t, [peer], {}, clock).addFunction('f', silent);
    const events: string[] = [];
    worker.on('connect', () => events.push('connect')).on('disconnect', () => events.push('disconnect'));
    await clock.advanceUntil(worker.start());
    assert.deepEqual(events, ['disconnect', 'connect']);
    (await peer.connection(2)).reset();
    await once(worker, 'disconnect');
    assert.deepEqual(events, ['disconnect', 'connect', 'disconnect']);
  });
});

describe('addFunction() of a running worker', () => {
  it('tells the server on the connection that is there, and asks for jobs at once', async (t) => {
    const { worker, clock, peer, connection } = await working(t, { prefix: 'p:' });
    connection.send(noJob);
    await connection.seen('PRE_SLEEP');
    worker.addFunction('g', silent, { serverTimeout: 2000 }).addFunction('h', () => 'done');
    await connection.received(7);
    assert.deepEqual(told(connection).slice(4), ['CAN_DO_TIMEOUT p:g 2000', 'GRAB_JOB_UNIQ', 'CAN_DO p:h']);
    connection.send(jobAssignUniq('H:1', 'p:h'));
    assert.equal((await connection.seen('WORK_COMPLETE'))[0]?.data.toString(), 'done');
    await digested(clock, peer);
    assert.equal(peer.connections.length, 1);
  });

  it('with a concurrency of its own gets it a connection of its own', async (t) => {
    const { worker, peer, connection, hands } = await working(t, { concurrency: 2 });
    worker.addFunction('g', hands.handler, { concurrency: 1 });
    const other = await peer.connection(1);
    await other.received(2);
    assert.deepEqual(told(other), ['CAN_DO g', 'ECHO_REQ']);
    assert.deepEqual(told(connection).slice(1), ['ECHO_REQ', ...names(2, 'GRAB_JOB_UNIQ')]);
  });

  it('is heard by servers that are not there, when they come', async (t) => {
    const { worker, clock, peer, connection } = await working(t);
    connection.reset();
    await once(worker, 'disconnect');
    worker.addFunction('g', silent);
    clock.advance(50);
    const next = await peer.connection(1);
    await next.received(3);
    assert.deepEqual(told(next).slice(0, 3), ['CAN_DO f', 'CAN_DO g', 'ECHO_REQ']);
  });

  it('and by those that have not answered yet', async (t) => {
    const peer = await Peer.start(t, silent);
    const worker = workerOf(t, [peer]).addFunction('f', silent);
    const started = worker.start();
    const connection = await peer.connection(0);
    await connection.received(2);
    worker.addFunction('g', silent);
    await connection.received(3);
    connection.send(echoRes(Buffer.alloc(0)));
    await started;
    await connection.received(4);
    assert.deepEqual(told(connection), ['CAN_DO f', 'ECHO_REQ', 'CAN_DO g', 'GRAB_JOB_UNIQ']);
  });
});

describe('removeFunction() of a running worker', () => {
  it('retires the connection: the next one is without the function, and jobs that run end on the old one', async (t) => {
    const { worker, peer, connection, hands } = await working(t, { concurrency: 2 });
    worker.addFunction('g', silent);
    connection.send(jobAssignUniq('H:1'), noJob);
    const run = await hands.run(0);
    await connection.seen('PRE_SLEEP');
    worker.removeFunction('f');
    const next = await peer.connection(1);
    await next.received(3);
    assert.deepEqual(told(next), ['CAN_DO g', 'ECHO_REQ', 'GRAB_JOB_UNIQ']);
    assert.equal(run.job.signal.aborted, false);
    const said = connection.requests.length;
    run.end('result');
    await connection.closed;
    assert.deepEqual(told(connection).slice(said), ['WORK_COMPLETE H:1', 'ECHO_REQ']);
    assert.equal(connection.requests.at(-2)?.data.toString(), 'result');
  });

  it('closes the connection when it was the only function on it, once its jobs have ended', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    worker.removeFunction('f');
    await digested(clock, peer);
    assert.equal(await isPending(connection.closed), true);
    run.end();
    await connection.closed;
    assert.deepEqual(told(connection).slice(-2), ['WORK_COMPLETE H:1', 'ECHO_REQ']);
    clock.advance(60_000);
    await settleDown();
    assert.equal(peer.connections.length, 1);
    worker.addFunction('f', silent);
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ');
  });

  it('gives a job back that is assigned meanwhile: its connection is closed without a word of it', async (t) => {
    const { worker, peer, connection, hands } = await working(t);
    worker.addFunction('g', silent);
    await connection.seen('CAN_DO', 2);
    worker.removeFunction('f');
    await (await peer.connection(1)).seen('ECHO_REQ');
    connection.send(jobAssignUniq('H:1'));
    await connection.closed;
    assert.deepEqual(told(connection), ['CAN_DO f', 'ECHO_REQ', 'GRAB_JOB_UNIQ', 'CAN_DO g', 'ECHO_REQ']);
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ');
    assert.deepEqual(hands.handles, []);
  });

  it('does so also when no function is left', async (t) => {
    const { worker, connection, hands } = await working(t);
    worker.removeFunction('f');
    connection.send(jobAssignUniq('H:1'));
    await connection.closed;
    assert.deepEqual(hands.handles, []);
    assert.deepEqual(connection.names, ['CAN_DO', 'ECHO_REQ', 'GRAB_JOB_UNIQ', 'ECHO_REQ']);
  });

  it('of several functions in one go makes one connection more', async (t) => {
    const peer = await Peer.start(t, attend);
    const worker = workerOf(t, [peer]);
    for (const index of indexes(5)) worker.addFunction(`f${index}`, silent);
    await worker.start();
    const connection = await peer.connection(0);
    for (const index of indexes(4)) worker.removeFunction(`f${index}`);
    connection.send(noJob);
    await connection.closed;
    await settleDown();
    const last = peer.connections.at(-1);
    assert.ok(last !== undefined, 'there is one');
    await last.seen('GRAB_JOB_UNIQ');
    assert.deepEqual(told(last), ['CAN_DO f4', 'ECHO_REQ', 'GRAB_JOB_UNIQ']);
    const others = peer.connections.slice(1, -1);
    await Promise.all(others.map(({ closed }) => closed));
    assert.deepEqual(others.flatMap(told), []);
  });
});
