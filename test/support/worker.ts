/** Workers for tests, what job servers say to them, and handlers whose jobs the test ends. */
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import type { Job } from '../../src/worker/job.js';
import type { JobHandler, JobResult } from '../../src/worker/lane.js';
import type { FunctionOptions, GearmanWorkerOptions } from '../../src/worker/options.js';
import { GearmanWorker } from '../../src/worker/worker.js';
import { settleDown } from './client.js';
import { Clock } from './clock.js';
import { Condition } from './condition.js';
import { Peer, echoRes, type PeerConnection, type Script } from './peer.js';

/** JOB_ASSIGN_UNIQ as bytes. */
export function jobAssignUniq(handle: string, name = 'f', data: string | Uint8Array = '', unique = 'u'): Buffer {
  return encode('RES', TYPE.JOB_ASSIGN_UNIQ, [handle, name, unique], data);
}

/** JOB_ASSIGN_ALL as bytes. */
export function jobAssignAll(handle: string, reducer: string, name = 'f', data: string | Uint8Array = ''): Buffer {
  return encode('RES', TYPE.JOB_ASSIGN_ALL, [handle, name, 'u', reducer], data);
}

/** NO_JOB as bytes. */
export const noJob: Buffer = encode('RES', TYPE.NO_JOB);

/** NOOP as bytes. */
export const noop: Buffer = encode('RES', TYPE.NOOP);

/** Answers ECHO_REQ, and leaves the jobs to the test. */
export const attend: Script = (connection) => {
  connection.onRequest = ({ name, data }) => {
    if (name === 'ECHO_REQ') connection.send(echoRes(data));
  };
};

/** Hands out what `next` returns, one assignment a GRAB_JOB; there is no job where that is nothing. */
export function handOut(next: (connection: PeerConnection, peer: Peer) => Buffer | undefined): Script {
  return (connection, peer) => {
    connection.onRequest = ({ name, data }) => {
      if (name === 'ECHO_REQ') connection.send(echoRes(data));
      if (name.startsWith('GRAB_JOB')) connection.send(next(connection, peer) ?? noJob);
    };
  };
}

/** A worker of the peers that lives as long as the test. */
export function workerOf(
  t: TestContext,
  peers: readonly Peer[],
  options: GearmanWorkerOptions = {},
  clock: Clock = new Clock(),
): GearmanWorker {
  const worker = new GearmanWorker({ servers: peers.map(({ name }) => name), ...options }, clock);
  t.after(() => {
    worker.destroy();
  });
  return worker;
}

/** One run of a handler, which the test ends. */
export interface Run {
  readonly job: Job;
  readonly end: (result?: JobResult) => void;
  readonly fail: (error: Error) => void;
}

/** A handler whose jobs run until the test ends them. */
export class ByHand {
  /** In the order in which they began. */
  readonly runs: Run[] = [];
  readonly #condition = new Condition();
  readonly handler: JobHandler = (job) =>
    new Promise<JobResult>((resolve, reject) => {
      const fail = (error: Error): void => {
        reject(error);
      };
      this.runs.push({ job, end: resolve, fail });
      this.#condition.changed();
    });

  /** The n-th run, the first being 0, once it has begun. */
  async run(index: number): Promise<Run> {
    await this.#condition.until(() => this.runs.length > index);
    const run = this.runs[index];
    if (run === undefined) throw new Error(`there is no run ${index}`);
    return run;
  }

  /** Handles of the jobs that have begun. */
  get handles(): string[] {
    return this.runs.map(({ job }) => job.handle);
  }
}

/** A started worker with one server, in a time that the test moves. */
export interface Working {
  readonly worker: GearmanWorker;
  readonly clock: Clock;
  readonly peer: Peer;
  /** It has the functions; the requests for jobs are not answered. */
  readonly connection: PeerConnection;
  /** The runs of the function `f`. */
  readonly hands: ByHand;
}

/** Makes {@link Working} with the function `f`; every connection answers ECHO_REQ. */
export async function working(
  t: TestContext,
  options: GearmanWorkerOptions = {},
  fn: FunctionOptions & { handler?: JobHandler } = {},
): Promise<Working> {
  const [peer, clock, hands] = [await Peer.start(t, attend), new Clock(), new ByHand()];
  const worker = workerOf(t, [peer], options, clock);
  const { handler = hands.handler, ...rest } = fn;
  worker.addFunction('f', handler, rest);
  await worker.start();
  const connection = await peer.connection(0);
  const { concurrency = 1, maxJobs = Infinity } = options;
  await connection.seen(/^GRAB_JOB/, Math.min(concurrency, maxJobs, rest.concurrency ?? Infinity));
  return { worker, clock, peer, connection, hands };
}

/** Starts a worker of peers without a script, one after the other: the first of them is asked for all the jobs. Each answers ECHO_REQ. */
export async function startInOrder(worker: GearmanWorker, peers: readonly Peer[]): Promise<PeerConnection[]> {
  const started = worker.start();
  const connections: PeerConnection[] = [];
  for (const peer of peers) {
    const connection = await peer.connection(0);
    await connection.seen('ECHO_REQ');
    const connected = once(worker, 'connect');
    attend(connection, peer);
    connection.send(echoRes(Buffer.alloc(0)));
    await connected;
    connections.push(connection);
  }
  await started;
  return connections;
}

/** Resolves when workers have read and done what all the peers sent, and it has come to the peers what they say to that. */
export async function digested(clock: Clock, ...peers: readonly Peer[]): Promise<void> {
  const sockets = peers.flatMap(({ connections }) => connections.map(({ socket }) => socket));
  await clock.hasRead(sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0));
  await settleDown();
}
