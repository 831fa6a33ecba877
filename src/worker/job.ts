/** A job as its handler sees it, and what a handler may throw. */
import { invalidArgument } from '../errors.js';
import { checkWorkload, type Workload } from '../protocol/arguments.js';
import type { Abort } from './abort.js';
import type { Link } from './link.js';
import type { Assignment } from './requests.js';

/** The largest number that gearmand keeps of a job's progress. */
const MAX_COUNT = 0xffff_ffff;

/** Thrown by a handler: the job has failed (WORK_FAIL), which tells its clients nothing more. */
export class JobFailed extends Error {
  /** `JobFailed`. */
  override readonly name: string = 'JobFailed';
}

/**
 * Thrown by a handler: gives the job back to the server, for another worker or this one. gearmand puts it behind the other jobs of its
 * priority, and fails it after `--job-retries`, where that is set.
 */
export class JobRetry extends Error {
  /** `JobRetry`. */
  override readonly name: string = 'JobRetry';
}

/** A job that was assigned to this worker. */
export class Job {
  /** The job handle. */
  readonly handle: string;
  /** The function, as it was registered. */
  readonly function: string;
  /** Unique ID. */
  readonly unique: string;
  /** The payload, exactly as it was submitted. */
  readonly workload: Buffer;
  /** The function that reduces the results; none unless the job has one and the worker asks for it, which the option `reducer` of a function makes it do. */
  readonly reducer: string | undefined;
  /** Name of the job server that the job came from. */
  readonly server: string;
  readonly #link: Link;
  readonly #abort: Abort;
  /** What is done with the job: nothing more can be said about it when it `ended`, and what is said is dropped when it was `left`. */
  #state: 'running' | 'left' | 'ended' = 'running';

  /** @internal */
  constructor(link: Link, assignment: Assignment, name: string, abort: Abort) {
    this.handle = assignment.handle;
    this.function = name;
    this.unique = assignment.unique;
    this.workload = assignment.workload;
    this.reducer = assignment.reducer;
    this.server = link.server;
    this.#link = link;
    this.#abort = abort;
  }

  /** Aborted when nobody wants the result any more: the connection is lost, the time is over, or the worker is cut off. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The workload as UTF-8 text. */
  text(): string {
    return this.workload.toString();
  }

  /**
   * The workload as JSON.
   * @throws SyntaxError when it is none; let it through, and the job ends as an exception
   */
  json(): unknown {
    return JSON.parse(this.text());
  }

  /**
   * Reports progress. Returns at once; where the server is slow to take it, only the latest is sent.
   * @param numerator - how much is done: a whole number from 0 to 4294967295
   * @param denominator - of how much, likewise
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: a number is none of these, or the job has ended
   */
  sendStatus(numerator: number, denominator: number): void {
    this.#check('sendStatus');
    for (const count of [numerator, denominator]) {
      if (Number.isInteger(count) && count >= 0 && count <= MAX_COUNT) continue;
      throw invalidArgument(`sendStatus takes whole numbers from 0 to ${String(MAX_COUNT)}, not ${String(count)}.`);
    }
    if (this.#state === 'running') this.#link.status(this.handle, numerator, denominator);
  }

  /**
   * Sends a part of the result, or anything else, to the clients that wait for the job. Bytes must not be changed afterwards.
   * @returns when the connection takes more
   * @throws GearmanArgumentError at once, not as a rejection: the chunk is neither a string nor bytes, or the job has ended
   */
  sendData(chunk: Workload): Promise<void> {
    return this.#send('sendData', chunk);
  }

  /** {@link Job.sendData} for a warning. */
  sendWarning(chunk: Workload): Promise<void> {
    return this.#send('sendWarning', chunk);
  }

  /** @internal Nothing more is sent; whether that is the handler's doing, who then must not say more. */
  leave(isEnd: boolean): void {
    if (this.#state !== 'ended') this.#state = isEnd ? 'ended' : 'left';
  }

  /** Not an async function: a mistake of the handler is thrown where it is made, though nobody awaits what comes back. */
  #send(method: 'sendData' | 'sendWarning', chunk: Workload): Promise<void> {
    this.#check(method);
    const bytes = checkWorkload(chunk);
    return this.#state === 'running' ? this.#link[method](this.handle, bytes) : Promise.resolve();
  }

  #check(method: string): void {
    if (this.#state !== 'ended') return;
    throw invalidArgument(`${method} was called after the handler of job ${this.handle} had ended.`, {
      handle: this.handle,
    });
  }
}
