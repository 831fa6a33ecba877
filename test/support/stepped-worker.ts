/** A worker that takes its steps when it is told to. */
import * as net from 'node:net';
import { Decoder } from '../../src/protocol/decode.js';
import { encode, type Argument } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';

const TYPE = { CAN_DO: 1, PRE_SLEEP: 4, NOOP: 6, NO_JOB: 10, WORK_STATUS: 12, WORK_COMPLETE: 13, GRAB_JOB_UNIQ: 30 };
const JOB_ASSIGN_UNIQ = 31;

/** A job that a worker has got. */
export interface AssignedJob {
  readonly handle: string;
  readonly function: string;
  readonly unique: string;
  readonly workload: Buffer;
}

/** Speaks the worker's side of the protocol on a bare socket, one job at a time. */
export class SteppedWorker {
  readonly #socket: net.Socket;
  readonly #decoder = new Decoder('RES', 128 * 1024 * 1024);
  #onJob: ((job: AssignedJob) => void) | undefined;

  constructor(port: number, ...functions: string[]) {
    this.#socket = net.connect(port, '127.0.0.1');
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
      this.#send(TYPE.GRAB_JOB_UNIQ);
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

  /** Takes all jobs that are queued, at least `count`, and ends them. */
  async drain(count: number): Promise<AssignedJob[]> {
    const jobs: AssignedJob[] = [];
    while (jobs.length < count) {
      const job = await this.grab();
      this.complete(job);
      jobs.push(job);
    }
    return jobs;
  }

  /** Leaves; a job that it has goes back to the server. */
  close(): void {
    this.#socket.destroy();
  }

  #onPacket(packet: Packet): void {
    if (packet.type === TYPE.NO_JOB) this.#send(TYPE.PRE_SLEEP);
    if (packet.type === TYPE.NOOP) this.#send(TYPE.GRAB_JOB_UNIQ);
    if (packet.type !== JOB_ASSIGN_UNIQ) return;
    const [handle, unique] = [packet.latin1(0), packet.utf8(2)];
    this.#onJob?.({ handle, function: packet.utf8(1), unique, workload: packet.data });
  }

  #send(type: number, args: readonly Argument[] = [], data: Argument = ''): void {
    this.#socket.write(encode('REQ', type, args, data));
  }
}
