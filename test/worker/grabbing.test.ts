/** When a worker asks for jobs: never for one that it could not start, of every server in turn, and not in vain for ever. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import type { GearmanError } from '../../src/errors.js';
import { isPending, settleDown } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, echoRes, errorPacket, type PeerConnection, type Received } from '../support/peer.js';
import {
  ByHand,
  attend,
  digested,
  handOut,
  jobAssignUniq,
  noJob,
  noop,
  workerOf,
  working,
  startInOrder,
  type Working,
} from '../support/worker.js';

const silent = (): void => undefined;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const isGrab = ({ name }: Received): boolean => name.startsWith('GRAB_JOB');
const grabsOf = ({ requests }: PeerConnection): number => requests.filter(isGrab).length;

/** A job server that always has a job of the function that a connection can do. */
function endless() {
  let jobs = 0;
  return handOut(({ requests }) => {
    const [name] = requests.find((request) => request.name === 'CAN_DO')?.args ?? [];
    return jobAssignUniq(`H:${++jobs}`, name);
  });
}

describe('a worker', () => {
  it('asks for one job by default', async (t) => {
    const { connection } = await working(t);
    await settleDown();
    assert.equal(grabsOf(connection), 1);
  });

  it('asks for as many as it may run, on one connection, and for another when one has ended', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { concurrency: 3 });
    connection.send(...indexes(3).map((index) => jobAssignUniq(`H:${index}`)));
    await hands.run(2);
    await digested(clock, peer);
    assert.equal(grabsOf(connection), 3);
    for (const index of [1, 0, 2]) {
      const before = grabsOf(connection);
      hands.runs[index]?.end();
      await connection.seen(/^GRAB_JOB/, before + 1);
      await digested(clock, peer);
      assert.equal(grabsOf(connection), before + 1);
    }
    assert.equal(peer.connections.length, 1);
  });

  it('says how jobs ended and asks for the next ones in one piece', async (t) => {
    const { clock, connection, hands } = await working(t, { concurrency: 3 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'), jobAssignUniq('H:3'));
    await hands.run(2);
    const [socket] = clock.sockets;
    assert.ok(socket, 'the worker has a socket');
    const write = t.mock.method(socket, 'write');
    for (const { end } of hands.runs) end('done');
    await connection.seen(/^GRAB_JOB/, 6);
    assert.equal(write.mock.callCount(), 1);
  });

  it('shares its places out among its servers: jobs that run and requests for one are never more', async (t) => {
    const peers = [await Peer.start(t), await Peer.start(t), await Peer.start(t)];
    const [clock, hands] = [new Clock(), new ByHand()];
    const worker = workerOf(t, peers, { concurrency: 4 }, clock).addFunction('f', hands.handler);
    const connections = await startInOrder(worker, peers);
    const answers = connections.map(() => 0);
    let [ended, largest] = [0, 0];
    for (const round of indexes(80)) {
      await digested(clock, ...peers);
      const asked = connections.reduce((sum, connection) => sum + grabsOf(connection), 0);
      const running = hands.runs.length - ended;
      const taken = asked - answers.reduce((sum, count) => sum + count, 0) + running;
      largest = Math.max(largest, taken);
      // Two jobs are assigned, or there is none; then one of those that run ends.
      const open = connections.findIndex((connection, index) => grabsOf(connection) > (answers[index] ?? 0));
      if (round % 3 === 2) hands.runs[ended++]?.end();
      else if (open !== -1) {
        answers[open] = (answers[open] ?? 0) + 1;
        connections[open]?.send(round % 7 === 0 ? noJob : jobAssignUniq(`H:${round}`));
      }
      if (round % 10 === 9) for (const connection of connections) connection.send(noop);
      clock.advance(60);
    }
    assert.equal(largest, 4);
    assert.ok(ended > 20, 'jobs have run');
    const servers = new Set(hands.runs.map(({ job }) => job.server));
    assert.equal(servers.size, 3, 'of all servers');
  });

  it('never runs more than its concurrency, nor more of a function than that may', async (t) => {
    const peers = [await Peer.start(t, endless()), await Peer.start(t, endless())];
    const hands = { f: new ByHand(), g: new ByHand(), h: new ByHand() };
    const worker = workerOf(t, peers, { concurrency: 5 });
    worker.addFunction('f', hands.f.handler);
    worker.addFunction('g', hands.g.handler, { concurrency: 2 }).addFunction('h', hands.h.handler, { concurrency: 9 });
    await worker.start();
    const ended = { f: 0, g: 0, h: 0 };
    const running = (name: keyof typeof hands): number => hands[name].runs.length - ended[name];
    for (const round of indexes(90)) {
      await settleDown();
      const counts = [running('f'), running('g'), running('h')] as const;
      assert.ok(counts[0] + counts[1] + counts[2] <= 5, counts.join());
      assert.ok(counts[1] <= 2, counts.join());
      const name = (['f', 'g', 'h'] as const)[round % 3] ?? 'f';
      if (running(name) > 0) hands[name].runs[ended[name]++]?.end();
    }
    for (const name of ['f', 'g', 'h'] as const) assert.ok(ended[name] > 10, `${name} has had its turn`);
  });

  it('lets every server have its turn', async (t) => {
    const peers = [await Peer.start(t, endless()), await Peer.start(t, endless()), await Peer.start(t, endless())];
    const hands = new ByHand();
    const worker = workerOf(t, peers).addFunction('f', hands.handler);
    let connected = 0;
    const all = new Promise<void>((resolve) => {
      worker.on('connect', () => {
        if (++connected === peers.length) resolve();
      });
    });
    await Promise.all([worker.start(), all]);
    for (const index of indexes(12)) (await hands.run(index)).end();
    const servers = hands.runs.slice(3, 12).map(({ job }) => job.server);
    for (const start of [0, 3, 6]) assert.equal(new Set(servers.slice(start, start + 3)).size, 3, servers.join());
  });
});

describe('a function with a concurrency of its own', () => {
  it('has a connection of its own to each server, which asks only when it has a place', async (t) => {
    const [peer, hands] = [await Peer.start(t, attend), new ByHand()];
    const clock = new Clock();
    const worker = workerOf(t, [peer], { concurrency: 3 }, clock);
    worker.addFunction('g', hands.handler, { concurrency: 1 }).addFunction('f', silent).addFunction('h', silent);
    await worker.start();
    const connections = [await peer.connection(0), await peer.connection(1)];
    await connections[1]?.seen('GRAB_JOB_UNIQ');
    const functions = connections.map(({ requests }) =>
      requests.filter(({ name }) => name === 'CAN_DO').flatMap(({ args }) => args),
    );
    assert.deepEqual(functions, [['g'], ['f', 'h']]);
    assert.deepEqual(connections.map(grabsOf), [1, 2]);
    connections[0]?.send(jobAssignUniq('H:1', 'g'));
    const run = await hands.run(0);
    await digested(clock, peer);
    assert.deepEqual(connections.map(grabsOf), [1, 2]);
    run.end();
    await connections[0]?.seen('GRAB_JOB_UNIQ', 2);
  });
});

describe('a server without a job', () => {
  it('is told that the worker sleeps, once all of its requests are answered', async (t) => {
    const { clock, peer, connection } = await working(t, { concurrency: 3 });
    connection.send(noJob, noJob);
    await digested(clock, peer);
    assert.equal(connection.names.at(-1), 'GRAB_JOB_UNIQ');
    connection.send(noJob);
    await connection.seen('PRE_SLEEP');
    clock.advance(2999);
    await digested(clock, peer);
    assert.deepEqual(connection.names.slice(-2), ['GRAB_JOB_UNIQ', 'PRE_SLEEP']);
  });

  it('wakes the worker, which asks for as many jobs as it may run', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'), noJob);
    await connection.seen('PRE_SLEEP');
    clock.advance(1000);
    connection.send(noop);
    await connection.seen('GRAB_JOB_UNIQ', 3);
    await digested(clock, peer);
    assert.deepEqual(connection.names.slice(4), ['PRE_SLEEP', 'GRAB_JOB_UNIQ']);
    assert.deepEqual(hands.handles, ['H:1']);
  });

  it('may wake one that is awake, which changes nothing', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(noop, jobAssignUniq('H:1'), noop, noJob);
    await connection.seen('PRE_SLEEP');
    await digested(clock, peer);
    assert.deepEqual(connection.names.slice(2), ['GRAB_JOB_UNIQ', 'GRAB_JOB_UNIQ', 'PRE_SLEEP']);
    assert.deepEqual(hands.handles, ['H:1']);
  });

  it('that wakes one without a place is asked when there is one', async (t) => {
    const peers = [await Peer.start(t), await Peer.start(t)];
    const [clock, hands] = [new Clock(), new ByHand()];
    const worker = workerOf(t, peers, {}, clock).addFunction('f', hands.handler);
    const [idle, busy] = await startInOrder(worker, peers);
    assert.ok(idle !== undefined && busy !== undefined, 'two connections');
    idle.send(noJob);
    await busy.seen('GRAB_JOB_UNIQ');
    busy.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    clock.advance(100);
    idle.send(noop);
    await digested(clock, ...peers);
    assert.deepEqual([grabsOf(idle), grabsOf(busy)], [1, 1]);
    run.end();
    await idle.seen('GRAB_JOB_UNIQ', 2);
    await digested(clock, ...peers);
    assert.equal(grabsOf(busy), 1, 'its turn comes later');
  });

  it('is asked now and then all the same', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { heartbeat: 2000 });
    for (const round of indexes(4)) {
      connection.send(noJob);
      await connection.seen('PRE_SLEEP', round + 1);
      clock.advance(1999);
      await digested(clock, peer);
      assert.equal(grabsOf(connection), round + 1);
      clock.advance(1);
      await connection.seen('GRAB_JOB_UNIQ', round + 2);
    }
    connection.send(jobAssignUniq('H:due'));
    await hands.run(0);
  });
});

describe('NOOP and NO_JOB in turn', () => {
  /** Falls asleep, and is woken after so long: whether the worker asks at once, and if not, after how long it does. */
  async function nap({ clock, peer, connection }: Working, awakeAfterMs = 0): Promise<number> {
    const grabs = grabsOf(connection);
    connection.send(noJob);
    await digested(clock, peer);
    assert.equal(connection.names.at(-1), 'PRE_SLEEP');
    clock.advance(awakeAfterMs);
    connection.send(noop);
    await digested(clock, peer);
    const startMs = clock.now();
    while (grabsOf(connection) === grabs && clock.now() - startMs < 2000) {
      clock.advance(1);
      // What was written comes in a turn or two; time does not pass meanwhile.
      await settleDown();
    }
    assert.equal(grabsOf(connection), grabs + 1);
    return clock.now() - startMs;
  }

  async function sleeper(t: TestContext): Promise<Working> {
    return working(t, { heartbeat: 60_000 });
  }

  it('are answered ever later when they come one upon the other, to four times a second', async (t) => {
    const worker = await sleeper(t);
    const naps: number[] = [];
    for (let round = 0; round < 10; round++) naps.push(await nap(worker));
    assert.deepEqual(naps, [0, 10, 20, 40, 80, 160, 250, 250, 250, 250]);
  });

  it('are so again after a job', async (t) => {
    const worker = await sleeper(t);
    const naps: number[] = [];
    for (let round = 0; round < 4; round++) naps.push(await nap(worker));
    worker.connection.send(jobAssignUniq('H:1'));
    (await worker.hands.run(0)).end();
    await digested(worker.clock, worker.peer);
    for (let round = 0; round < 3; round++) naps.push(await nap(worker));
    assert.deepEqual(naps, [0, 10, 20, 40, 0, 10, 20]);
  });

  it('are answered at once when they come in a while', async (t) => {
    const worker = await sleeper(t);
    for (let round = 0; round < 5; round++) assert.equal(await nap(worker, 50), 0, `round ${round}`);
    await nap(worker);
    assert.notEqual(await nap(worker, 49), 0);
    assert.equal(await nap(worker, 50), 0);
  });

  it('are no false alarm when there is a job, however soon', async (t) => {
    const { connection, hands, clock, peer } = await sleeper(t);
    for (const round of indexes(6)) {
      connection.send(noJob);
      await connection.seen('PRE_SLEEP', round + 1);
      connection.send(noop);
      await connection.seen('GRAB_JOB_UNIQ', 2 * round + 2);
      connection.send(jobAssignUniq(`H:${round}`));
      (await hands.run(round)).end();
      await connection.seen('GRAB_JOB_UNIQ', 2 * round + 3);
    }
    await digested(clock, peer);
  });
});

describe('a server that does not answer', () => {
  it('is asked for a sign of life after heartbeat, and left after as long again', async (t) => {
    const { worker, clock, peer, connection } = await working(t, { heartbeat: 2000 });
    connection.onRequest = silent;
    const down = once(worker, 'disconnect');
    clock.advance(2000);
    await connection.seen('ECHO_REQ', 2);
    clock.advance(1999);
    assert.equal(await isPending(down), true);
    clock.advance(1);
    const [server, error] = (await down) as [string, GearmanError];
    assert.deepEqual([server, error.code], [peer.name, 'GEARMAN_LOST_CONNECTION']);
    assert.match(error.message, /gave no sign of life for 2000 ms/);
    clock.advance(50);
    await (await peer.connection(1)).seen('GRAB_JOB_UNIQ');
  });

  it('is asked for one also while all places are taken, and may be asked for ever', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { heartbeat: 2000 });
    connection.send(jobAssignUniq('H:1'));
    const { job } = await hands.run(0);
    for (const round of indexes(5)) {
      clock.advance(2000);
      await connection.seen('ECHO_REQ', round + 2);
      await digested(clock, peer);
    }
    assert.equal(job.signal.aborted, false);
    assert.deepEqual(
      connection.names.slice(3),
      Array.from({ length: 5 }, () => 'ECHO_REQ'),
    );
  });
});

describe('what a server says unasked', () => {
  it('is ignored when it is an ERROR or came late, whatever the worker waits for', async (t) => {
    const { clock, peer, connection, hands } = await working(t);
    const error = errorPacket('JOB_NOT_FOUND', 'Job given in work result not found');
    connection.send(error, jobAssignUniq('H:1'), error);
    const run = await hands.run(0);
    connection.send(error, echoRes(Buffer.from('late')), noJob, noop);
    await digested(clock, peer);
    run.end('result');
    await connection.seen('GRAB_JOB_UNIQ', 2);
    connection.send(error, noJob, error);
    await connection.seen('PRE_SLEEP');
    clock.advance(1000);
    connection.send(error, noop, jobAssignUniq('H:2'));
    await hands.run(1);
    assert.equal(peer.connections.length, 1);
  });

  for (const [what, bytes, code] of [
    ['no packet', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), 'GEARMAN_INVALID_MAGIC'],
    ['a job that was not asked for', jobAssignUniq('H:9'), 'GEARMAN_UNEXPECTED_PACKET'],
    ['a job that is too large', jobAssignUniq('H:9', 'f', Buffer.alloc(20_000)), 'GEARMAN_DATA_TOO_LARGE'],
  ] as const) {
    it(`ends that connection alone when it is ${what}`, async (t) => {
      const peers = [await Peer.start(t), await Peer.start(t)];
      const [clock, hands] = [new Clock(), new ByHand()];
      const worker = workerOf(t, peers, { concurrency: 2, maxPacketSize: 1000 }, clock);
      worker.addFunction('f', hands.handler);
      const [first, second] = await startInOrder(worker, peers);
      assert.ok(first !== undefined && second !== undefined, 'two connections');
      await first.seen('GRAB_JOB_UNIQ', 2);
      first.send(noJob, noJob);
      await second.seen('GRAB_JOB_UNIQ', 2);
      second.send(jobAssignUniq('H:2'), noJob);
      await first.seen('PRE_SLEEP');
      first.send(noop);
      await first.seen('GRAB_JOB_UNIQ', 3);
      first.send(jobAssignUniq('H:1'));
      await hands.run(1);
      const down = once(worker, 'disconnect');
      first.send(bytes);
      const [, error] = (await down) as [string, GearmanError];
      assert.equal((error.cause as GearmanError).code, code);
      assert.deepEqual(hands.handles, ['H:2', 'H:1']);
      assert.deepEqual(
        hands.runs.map(({ job }) => job.signal.aborted),
        [false, true],
      );
      hands.runs[0]?.end('result');
      await second.seen('WORK_COMPLETE');
    });
  }
});
