/** A worker that takes its steps when it is told to. */
import * as net from 'node:net';
import { Decoder } from '../../src/protocol/decode.js';
import { encode, type Argument } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';

// The protocol's numbers, written out: this is the other side, and shares nothing with the client but how packets are cut.
const TYPE = {
  CAN_DO: 1,
  PRE_SLEEP: 4,
  NOOP: 6,
  NO_JOB: 10,
  WORK_STATUS: 12,
  WORK_COMPLETE: 13,
  ECHO_REQ: 16,
  ECHO_RES: 17,
  JOB_ASSIGN_UNIQ: 31,
  GRAB_JOB_ALL: 39,
  JOB_ASSIGN_ALL: 40,
};

/** A job that a worker has got. */
export interface AssignedJob {
  readonly handle: string;
  readonly function: string;
  readonly unique: string;
  /** Name of the function that reduces its results; empty if there is none. */
  readonly reducer: string;
  readonly workload: Buffer;
}

/** Speaks the worker's side of the protocol on a bare socket. */
export class SteppedWorker {
  readonly #socket: net.Socket;
  readonly #decoder = new Decoder('RES', 128 * 1024 * 1024);
  #onJob: ((job: AssignedJob) => void) | undefined;
  /** Called when there is no job; sleeps until there is one by default. */
  #onNoJob: (() => void) | undefined;
  readonly #onEcho: (() => void)[] = [];

  constructor(port: number, ...functions: string[]) {
    this.#socket = net.connect(port, '127.0.0.1').setNoDelay();
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk, (packet) => {
        this.#onPacket(packet);
      });
    });
    for (const name of functions) this.#send(TYPE.CAN_DO, [name]);
  }

  /** Waits for the next job. */
  grab(): Promise<AssignedJob> {
    return new Promise((resolve) => {
      this.#onJob = resolve;
      this.#send(TYPE.GRAB_JOB_ALL);
    });
  }

  /** Reports how far a job is. */
  status(job: AssignedJob, numerator: number, denominator: number): void {
    this.#send(TYPE.WORK_STATUS, [job.handle, String(numerator), String(denominator)]);
  }

  /** Ends a job. */
  complete(job: AssignedJob, result: Argument = ''): void {
    this.#send(TYPE.WORK_COMPLETE, [job.handle], result);
  }

  /** Resolves when the job server has done everything that it was told until now. */
  done(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEcho.push(resolve);
      this.#send(TYPE.ECHO_REQ);
    });
  }

  /** Takes the next `count` jobs and ends them. */
  async take(count: number): Promise<AssignedJob[]> {
    const jobs: AssignedJob[] = [];
    while (jobs.length < count) {
      const job = await this.grab();
      this.complete(job);
      jobs.push(job);
    }
    return jobs;
  }

  /** Takes all jobs that are queued and ends them. */
  drain(): Promise<AssignedJob[]> {
    const jobs: AssignedJob[] = [];
    return new Promise((resolve) => {
      this.#onNoJob = () => {
        this.#onNoJob = undefined;
        resolve(jobs);
      };
      this.#onJob = (job) => {
        this.complete(job);
        jobs.push(job);
        this.#send(TYPE.GRAB_JOB_ALL);
      };
      this.#send(TYPE.GRAB_JOB_ALL);
    });
  }

  /** Leaves; a job that it has goes back to the server. */
  close(): void {
    this.#socket.destroy();
  }

  #onPacket(packet: Packet): void {
    switch (packet.type) {
      case TYPE.NO_JOB:
        if (this.#onNoJob === undefined) this.#send(TYPE.PRE_SLEEP);
        else this.#onNoJob();
        break;
      case TYPE.NOOP:
        this.#send(TYPE.GRAB_JOB_ALL);
        break;
      case TYPE.JOB_ASSIGN_UNIQ:
      case TYPE.JOB_ASSIGN_ALL:
        this.#onAssigned(packet);
        break;
      case TYPE.ECHO_RES:
        this.#onEcho.shift()?.();
    }
  }

  #onAssigned(packet: Packet): void {
    const reducer = packet.type === TYPE.JOB_ASSIGN_ALL ? packet.utf8(3) : '';
    const { data: workload } = packet;
    const onJob = this.#onJob;
    onJob?.({ handle: packet.latin1(0), function: packet.utf8(1), unique: packet.utf8(2), reducer, workload });
  }

  #send(type: number, args: readonly Argument[] = [], data: Argument = ''): void {
    this.#socket.write(encode('REQ', type, args, data));
  }
}
