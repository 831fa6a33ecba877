/** Where a worker is used, or served, in a way that is rare and allowed. */
import assert from 'node:assert/strict';
import { tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { GearmanError } from '../../src/errors.js';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import { GearmanWorker } from '../../src/worker/worker.js';
import { isPending, settleDown } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { limitMemory } from '../support/memory.js';
import { Peer, echoRes, errorPacket } from '../support/peer.js';
import { runScript } from '../support/process.js';
import { attend, digested, handOut, jobAssignUniq, noJob, workerOf, working, type Working } from '../support/worker.js';

const silent = (): void => undefined;
const echo = echoRes(Buffer.alloc(0));

describe('close()', () => {
  it('keeps the process alive until it resolves', async (t) => {
    const peer = await Peer.start(
      t,
      handOut(() => undefined),
    );
    const script = `
      const worker = new GearmanWorker(${JSON.stringify(peer.name)});
      worker.addFunction('f', () => 'done');
      await worker.start();
      await worker.close();
      print('closed');`;
    assert.deepEqual((await runScript(t, script)).lines, ['closed', 'exit 0']);
  });

  it('keeps it alive for a job that nothing else keeps it alive for, and for its result', async (t) => {
    const jobs = [jobAssignUniq('H:1')];
    const peer = await Peer.start(
      t,
      handOut(() => jobs.shift()),
    );
    const script = `
      const worker = new GearmanWorker(${JSON.stringify(peer.name)});
      worker.addFunction('f', async () => {
        await new Promise((resolve) => setTimeout(resolve, 300).unref());
        return 'done';
      });
      worker.once('job:start', () => setImmediate(() => worker.close().then(() => print('closed'))));
      await worker.start();`;
    assert.deepEqual((await runScript(t, script)).lines, ['closed', 'exit 0']);
    assert.ok(peer.names.includes('WORK_COMPLETE'), peer.names.join());
  });

  it('in a listener of job:start lets that job end', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t);
    worker.once('job:start', () => void worker.close());
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    await digested(clock, peer);
    assert.equal(run.job.signal.aborted, false);
    run.end('result');
    await connection.closed;
    assert.deepEqual(connection.names.slice(3), ['WORK_COMPLETE', 'ECHO_REQ']);
  });

  it('waits for the answer to its own ECHO, not for that to an earlier one', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    connection.onRequest = silent;
    clock.advance(3000);
    await connection.seen('ECHO_REQ', 2);
    connection.send(errorPacket('JOB_NOT_FOUND', 'Job given in work result not found'));
    await digested(clock, peer);
    const closed = worker.close();
    run.end('result');
    await connection.seen('ECHO_REQ', 3);
    connection.send(echo);
    await digested(clock);
    assert.equal(await isPending(closed), true, 'the server need not have read the result');
    connection.send(echo);
    await closed;
  });

  it('resolves also when a function is added meanwhile, for which nothing is connected', async (t) => {
    const { worker, peer, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    const closed = worker.close();
    try {
      worker.addFunction('g', silent, { concurrency: 1 });
    } catch (error) {
      assert.equal((error as GearmanError).code, 'GEARMAN_SHUTDOWN');
    }
    run.end('result');
    await connection.closed;
    await settleDown();
    assert.equal(peer.connections.length, 1);
    assert.equal(await isPending(closed), false);
  });

  it('is the end: no function that is added later connects anything', async (t) => {
    const { worker, peer, connection } = await working(t);
    connection.send(noJob);
    await worker.close();
    try {
      worker.addFunction('g', silent, { concurrency: 1 });
    } catch (error) {
      assert.equal((error as GearmanError).code, 'GEARMAN_SHUTDOWN');
    }
    await settleDown();
    assert.equal(peer.connections.length, 1);
  });
});

describe('removeFunction()', () => {
  it('in a listener of job:start lets that job end', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t);
    worker.once('job:start', () => worker.removeFunction('f'));
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    await digested(clock, peer);
    assert.equal(run.job.signal.aborted, false);
    run.end('result');
    await connection.closed;
    assert.deepEqual(connection.names.slice(3), ['WORK_COMPLETE', 'ECHO_REQ']);
  });
});

describe('start()', () => {
  it('may be called again while a connection takes the place of another', async (t) => {
    const { worker, peer, connection } = await working(t);
    worker.addFunction('g', silent).removeFunction('f');
    const again = worker.start();
    connection.send(noJob);
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ');
    assert.equal(await isPending(again), false);
  });

  it('resolves when the first server has all functions, also those with a concurrency of their own', async (t) => {
    const peer = await Peer.start(t, attend, silent);
    const worker = workerOf(t, [peer]).addFunction('f', silent).addFunction('g', silent, { concurrency: 1 });
    const servers: string[] = [];
    worker.on('connect', (server) => servers.push(server));
    const started = worker.start();
    const own = await peer.connection(1);
    await own.seen('ECHO_REQ');
    assert.equal(await isPending(started), true);
    own.send(echo);
    await started;
    assert.deepEqual(servers, [peer.name], 'which connect tells once');
  });

  it('of a worker that was paused before asks for no job', async (t) => {
    const [peer, clock] = [await Peer.start(t, attend), new Clock()];
    const worker = workerOf(t, [peer], {}, clock).addFunction('f', silent).pause();
    await worker.start();
    await digested(clock, peer);
    assert.deepEqual(peer.names, ['CAN_DO', 'ECHO_REQ']);
    worker.resume();
    await (await peer.connection(0)).seen('GRAB_JOB_UNIQ');
  });
});

describe('a connection all of whose places are taken', () => {
  it('is found out when it is half open: its server answers no ECHO', async (t) => {
    const { worker, clock, connection, hands } = await working(t, { heartbeat: 2000 });
    connection.send(jobAssignUniq('H:1'));
    const { job } = await hands.run(0);
    connection.onRequest = silent;
    let isDown = false;
    worker.once('disconnect', () => (isDown = true));
    for (let passedMs = 0; passedMs < 7000; passedMs += 100) {
      clock.advance(100);
      await settleDown();
    }
    assert.equal(isDown, true, connection.names.join());
    assert.equal((job.signal.reason as GearmanError).code, 'GEARMAN_LOST_CONNECTION');
  });

  it('survives an ERROR that comes while an ECHO and a request for a job are unanswered', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const runs = [await hands.run(0), await hands.run(1)];
    connection.onRequest = silent;
    await runs[0]?.job.sendData('of a job that the server has taken away');
    clock.advance(3000);
    await connection.seen('ECHO_REQ', 2);
    runs[0]?.end();
    await connection.seen('GRAB_JOB_UNIQ', 3);
    let isDown = false;
    worker.once('disconnect', () => (isDown = true));
    const error = errorPacket('JOB_NOT_FOUND', 'Job given in work result not found');
    connection.send(error, echo, error, noJob);
    await settleDown();
    assert.equal(isDown, false, 'it lives');
    assert.equal(runs[1]?.job.signal.aborted, false);
    await digested(clock, peer);
  });
});

describe('a server that says something and does not answer', () => {
  /** Says NOOP for so long, in steps that leave the worker time to read. */
  async function chatter({ clock, connection }: Working, ms: number): Promise<void> {
    connection.onRequest = silent;
    for (let passedMs = 0; passedMs < ms; passedMs += 100) {
      connection.send(encode('RES', TYPE.NOOP));
      await settleDown();
      clock.advance(100);
    }
  }

  it('is left when a request for a job stays unanswered for twice the heartbeat', async (t) => {
    const world = await working(t, { heartbeat: 1000 });
    const down = once(world.worker, 'disconnect');
    await chatter(world, 3100);
    const [, error] = (await down) as [string, GearmanError];
    assert.equal(error.code, 'GEARMAN_LOST_CONNECTION');
    assert.match(error.message, /did not answer what it was asked within 2000 ms \(twice the option heartbeat\)/);
  });

  it('does not keep close() from its end', async (t) => {
    const world = await working(t, { heartbeat: 1000 });
    world.connection.send(noJob);
    await world.connection.seen('PRE_SLEEP');
    const closed = world.worker.close();
    await chatter(world, 3100);
    await closed;
  });
});

describe('a paused worker', () => {
  it('asks its servers for a sign of life', async (t) => {
    const { worker, clock, connection } = await working(t, { heartbeat: 1000 });
    connection.send(noJob);
    await connection.seen('PRE_SLEEP');
    worker.pause();
    const down = once(worker, 'disconnect');
    for (let round = 2; round < 5; round++) {
      for (const ms of [1000, 1000]) {
        clock.advance(ms);
        await settleDown();
      }
      await connection.seen('ECHO_REQ', round);
    }
    connection.onRequest = silent;
    for (let passedMs = 0; passedMs < 4000; passedMs += 100) {
      clock.advance(100);
      await settleDown();
    }
    await down;
  });
});

describe('a job', () => {
  it('may throw what cannot even be looked at', async (t) => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const handler = (): never => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- that is what is tested
      throw proxy;
    };
    const { worker, connection } = await working(t, {}, { handler });
    connection.send(jobAssignUniq('H:1'));
    await connection.seen('WORK_EXCEPTION');
    await connection.seen('GRAB_JOB_UNIQ', 2);
    connection.send(noJob);
    await worker.close();
  });

  it('may not return nor send bytes whose memory was transferred away', async (t) => {
    const { worker, connection, hands } = await working(t, { concurrency: 2 });
    const errors: string[] = [];
    worker.on('job:error', (_job, { message }) => errors.push(message));
    const bytes = new Uint8Array(100);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const [run, other] = [await hands.run(0), await hands.run(1)];
    assert.throws(() => void run.job.sendData(bytes), { code: 'GEARMAN_INVALID_ARGUMENT' });
    run.end(bytes);
    await connection.seen('WORK_EXCEPTION');
    other.end('result');
    await connection.seen('WORK_COMPLETE');
    assert.deepEqual(errors, ['The result of f has lost its memory: it was transferred. Pass a copy.']);
  });

  it('fails when there is no memory to write the text of its exception', async (t) => {
    const huge = 'x'.repeat(20_000);
    const handler = (): never => {
      throw new Error(huge);
    };
    const { worker, connection } = await working(t, {}, { handler });
    limitMemory(t, huge);
    const ended = once(worker, 'job:end');
    connection.send(jobAssignUniq('H:1'));
    await connection.seen('WORK_FAIL');
    assert.equal((await ended)[1], 'fail');
    await connection.seen('GRAB_JOB_UNIQ', 2);
  });

  it('is an exception when there is no memory to write its result', async (t) => {
    const { connection, hands } = await working(t);
    const huge = 'x'.repeat(20_000);
    limitMemory(t, huge);
    connection.send(jobAssignUniq('H:1'));
    (await hands.run(0)).end(huge);
    const [exception] = await connection.seen('WORK_EXCEPTION');
    assert.equal(exception?.data.toString(), 'Array buffer allocation failed');
    await connection.seen('GRAB_JOB_UNIQ', 2);
  });

  for (const message of [42, null, undefined, { text: 'x' }, Symbol('x')]) {
    it(`may throw an Error whose message is no text but ${message === null ? 'null' : typeof message}`, async (t) => {
      const handler = (): never => {
        throw Object.assign(new Error(), { message });
      };
      const { worker, connection, peer } = await working(t, {}, { handler });
      const rejections: unknown[] = [];
      const note = (reason: unknown): void => void rejections.push(reason);
      process.on('unhandledRejection', note);
      t.after(() => process.off('unhandledRejection', note));
      let isEnded = false;
      worker.once('job:end', () => (isEnded = true));
      connection.send(jobAssignUniq('H:1'));
      await once(worker, 'job:start');
      await settleDown();
      await settleDown();
      assert.deepEqual(rejections, []);
      assert.equal(isEnded, true);
      assert.deepEqual(connection.names.slice(3), ['WORK_EXCEPTION', 'GRAB_JOB_UNIQ']);
      assert.equal(peer.connections.length, 1);
    });
  }

  it('is known to its server by the bytes of its handle', async (t) => {
    const handle = Buffer.from([0x48, 0x3a, 0xfc, 0x3a, 0x31]);
    const { connection, hands } = await working(t);
    const bytes: Buffer[] = [];
    connection.socket.on('data', (chunk: Buffer) => bytes.push(chunk));
    connection.send(encode('RES', TYPE.JOB_ASSIGN_UNIQ, [handle, 'f', 'u'], ''));
    const run = await hands.run(0);
    assert.equal(run.job.handle, handle.toString('latin1'));
    run.job.sendStatus(1, 2);
    run.end('result');
    await connection.seen('GRAB_JOB_UNIQ', 2);
    const expected = [
      encode('REQ', TYPE.WORK_STATUS, [handle, '1', '2']),
      encode('REQ', TYPE.WORK_COMPLETE, [handle], 'result'),
    ];
    const said = Buffer.concat(bytes);
    for (const packet of expected) assert.ok(said.includes(packet), 'the bytes that were received');
  });

  it('shows no result in the tracing channel', async (t) => {
    const contexts: object[] = [];
    const handlers = { asyncEnd: (context: unknown) => void contexts.push({ ...(context as object) }) };
    const traced = tracingChannel('gearman:job');
    traced.subscribe(handlers as never);
    t.after(() => traced.unsubscribe(handlers as never));
    const { connection } = await working(t, {}, { handler: (job) => job.workload });
    connection.send(jobAssignUniq('H:1', 'f', 'sesame'));
    await connection.seen('WORK_COMPLETE');
    assert.equal(contexts.length, 1);
    assert.equal((contexts[0] as { result?: unknown }).result, undefined, 'a result is a workload, too');
  });
});

describe('an id that is empty', () => {
  it('is refused without advice about functions', () => {
    assert.throws(
      () => new GearmanWorker({ id: '' }),
      ({ message }: Error) => message.startsWith('The option id is empty.') && !message.includes('function'),
    );
  });
});
