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
  readonly nameOnWire: string;
  readonly handler: JobHandler;
  readonly settings: FunctionSettings;
}

/** See the head of this file. */
export class Lane {
  /** The functions, by their names on the wire. */
  readonly functions: Map<string, WorkerFunction> = new Map<string, WorkerFunction>();
  readonly #limit: number;
  readonly #running: () => number;
  /** Requests for a job that are not answered. */
  #asked = 0;

  /**
   * @param limit - how many places it has, for jobs that run and requests for one
   * @param running - how many of its jobs run
   */
  constructor(limit: number, running: () => number) {
    this.#limit = limit;
    this.#running = running;
  }

  /** Whether it has a place for a job. */
  get hasRoom(): boolean {
    return this.#asked + this.#running() < this.#limit;
  }

  /** A place is taken by a request for a job. */
  ask(): void {
    this.#asked++;
  }

  /** The request was answered, or never will be. */
  answered(): void {
    this.#asked--;
  }

  /** How it asks for a job. */
  get grabType(): number {
    for (const { settings } of this.functions.values()) if (settings.reducer) return TYPE.GRAB_JOB_ALL;
    return TYPE.GRAB_JOB_UNIQ;
  }
}
