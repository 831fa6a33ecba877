/** One run of a handler: from the assignment of the job to what the server is told of it. */
import { asError, describe, gearmanError, type GearmanError } from '../errors.js';
import { traceJob } from '../observe.js';
import { checkWorkload } from '../protocol/arguments.js';
import { TYPE } from '../protocol/packet.js';
import { Timed, type Deadlines } from '../transport/deadlines.js';
import { Abort } from './abort.js';
import { Job, JobFailed, JobRetry } from './job.js';
import type { WorkerFunction } from './lane.js';
import type { HeldJob, Link } from './link.js';
import type { Assignment } from './requests.js';
import type { Session } from './session.js';

/**
 * How a job ended, as far as this worker is concerned: `complete`, `fail` and `exception` were told to the server; `retry`: it was
 * given back; `lost`: its connection died.
 */
export type JobOutcome = 'complete' | 'fail' | 'exception' | 'retry' | 'lost';

/** Who is told about a task. */
export interface TaskOwner {
  readonly deadlines: Deadlines;
  /** The handler has ended. */
  onTaskEnd(task: Task): void;
}

/** See the head of this file. */
export class Task extends Timed implements HeldJob {
  readonly job: Job;
  readonly fn: WorkerFunction;
  /** Where the job came from. */
  readonly session: Session;
  readonly #link: Link;
  readonly #owner: TaskOwner;
  readonly #abort = new Abort();
  /** What became of the job; none while it is not decided. The handler may run on. */
  outcome: JobOutcome | undefined;
  /** Why it did not complete. */
  error: Error | undefined;

  constructor(owner: TaskOwner, session: Session, job: { link: Link; assignment: Assignment; fn: WorkerFunction }) {
    super();
    this.job = new Job(job.link, job.assignment, job.fn.name, this.#abort);
    this.session = session;
    this.fn = job.fn;
    this.#link = job.link;
    this.#owner = owner;
  }

  /** Runs the handler; settles when that has ended, and never rejects. */
  async run(): Promise<void> {
    // Who heard that it starts may have cut it off.
    if (this.outcome === undefined) {
      this.#owner.deadlines.start(this, this.fn.settings.timeout);
      try {
        this.#complete(await this.#call());
      } catch (error) {
        this.#fail(asError(error));
      }
    }
    // At once: what the server is told of the job and the request for the next one leave together.
    this.#owner.deadlines.stop(this);
    this.job.leave(true);
    this.#owner.onTaskEnd(this);
  }

  async #call(): Promise<unknown> {
    const { handle, unique, server } = this.job;
    const context = () => ({ function: this.fn.name, handle, unique, server });
    let result: unknown;
    // What the handler returns is not for those who listen to the channel.
    await traceJob(context, async () => {
      result = await this.fn.handler(this.job);
    });
    return result;
  }

  /** The handler has taken too long. */
  override onDue(): void {
    const { timeout, onTimeout } = this.fn.settings;
    const message = `The job ${this.job.handle} took longer than ${String(timeout)} ms (the option timeout of ${this.job.function}).`;
    const error = gearmanError('GEARMAN_TIMEOUT', message, { handle: this.job.handle, function: this.job.function });
    this.#end(onTimeout, error);
    this.#abort.abort(error);
  }

  /** The connection is dead. */
  onLost(error: GearmanError): void {
    this.#end('lost', error);
    this.#abort.abort(error);
  }

  #complete(result: unknown): void {
    this.#end(
      'complete',
      undefined,
      checkWorkload(result === undefined ? '' : result, `The result of ${this.job.function}`),
    );
  }

  #fail(error: Error): void {
    if (error instanceof JobRetry) this.#end('retry', error);
    else if (error instanceof JobFailed) this.#end('fail', error);
    else this.#except(error);
  }

  #except(error: Error): void {
    try {
      this.#end('exception', error, textOf(error));
    } catch {
      // There is no memory to write the text.
      this.#end('fail', error);
    }
  }

  /** Decides what becomes of the job, if that is still open, and tells the server. */
  #end(outcome: JobOutcome, error?: Error, data?: string | Uint8Array): void {
    if (this.outcome !== undefined) return;
    const { handle } = this.job;
    // First, for where there is no memory to write a result this throws, and the job has not ended.
    if (outcome === 'complete') this.#link.finish(TYPE.WORK_COMPLETE, handle, data);
    else if (outcome === 'exception') this.#link.finish(TYPE.WORK_EXCEPTION, handle, data);
    else if (outcome === 'fail') this.#link.finish(TYPE.WORK_FAIL, handle);
    this.outcome = outcome;
    this.error = error;
    this.job.leave(false);
    this.#link.release(this);
    this.session.released(this.#link, outcome === 'retry');
  }
}

/** The message of an error, whatever somebody has put there. */
function textOf(error: { readonly message: unknown }): string {
  try {
    return typeof error.message === 'string' ? error.message : describe(error.message ?? '');
  } catch {
    return 'an error without a message';
  }
}
