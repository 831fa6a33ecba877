/** Functions that share connections and places: all that have no limit of their own, or one that has. */
import { TYPE } from '../protocol/packet.js';
import type { Job } from './job.js';
import type { FunctionSettings } from './options.js';

/** What a handler may return: the result of the job, empty if it is nothing. */
export type JobResult = string | Uint8Array | undefined;

/**
 * Does a job. What it returns is the job's result; what it throws ends the job as an exception with the error's message, but for
 * `JobFailed` and `JobRetry`.
 */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- a handler that returns nothing is one
export type JobHandler = (job: Job) => JobResult | void | Promise<JobResult | void>;

/** A function that the worker can do. */
export interface WorkerFunction {
  /** As it was registered. */
  readonly name: string;
  readonly handler: JobHandler;
  readonly settings: FunctionSettings;
}

/** See the head of this file. */
export class Lane {
  /** The functions, by their names on the wire. */
  readonly functions: Map<string, WorkerFunction> = new Map<string, WorkerFunction>();
  readonly #limit: number;
  #taken = 0;
  #former: Lane | undefined;

  /**
   * @param limit - how many places it has: jobs that run, and requests for a job
   * @param former - the lane of the same function before it was removed and added again, whose jobs may run
   */
  constructor(limit: number, former?: Lane) {
    this.#limit = limit;
    this.#former = former;
  }

  /** Whether it has a place for a job. */
  get hasRoom(): boolean {
    return this.taken < this.#limit;
  }

  /** How many places are taken. */
  get taken(): number {
    if (this.#former?.taken === 0) this.#former = undefined;
    return this.#taken + (this.#former?.taken ?? 0);
  }

  take(): void {
    this.#taken++;
  }

  giveBack(): void {
    this.#taken--;
  }

  /** How it asks for a job. */
  get grabType(): number {
    for (const { settings } of this.functions.values()) if (settings.reducer) return TYPE.GRAB_JOB_ALL;
    return TYPE.GRAB_JOB_UNIQ;
  }
}
