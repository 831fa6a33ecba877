/** A handler whose jobs end when the test says so, or when their signal is aborted. */
import type { Job, JobResult } from '../../src/index.js';
import { Condition } from './condition.js';

/** One run of a job. */
export interface Run {
  readonly job: Job;
  /** Ends the handler with a result. */
  readonly end: (result?: JobResult) => void;
  /** Ends the handler with what it throws. */
  readonly fail: (error: Error) => void;
}

/** See the head of this file. */
export class Hands {
  /** All runs, in the order of their starts. */
  readonly runs: Run[] = [];
  /** How many run now. */
  running = 0;
  /** How many ran at most at a time. */
  most = 0;
  readonly #condition = new Condition();

  readonly handler = async (job: Job): Promise<JobResult> => {
    this.most = Math.max(this.most, ++this.running);
    try {
      return await new Promise<JobResult>((end, fail) => {
        const onAbort = (): void => {
          fail(job.signal.reason as Error);
        };
        job.signal.addEventListener('abort', onAbort);
        this.runs.push({ job, end, fail });
        this.#condition.changed();
      });
    } finally {
      this.running--;
      this.#condition.changed();
    }
  };

  /** The n-th run, the first being 0, once it has started. */
  async run(index: number): Promise<Run> {
    await this.#condition.until(() => this.runs.length > index);
    const run = this.runs[index];
    if (run === undefined) throw new Error(`there is no run ${index}`);
    return run;
  }

  /** The first `count` runs, once they have started. */
  async started(count: number): Promise<Run[]> {
    await this.#condition.until(() => this.runs.length >= count);
    return this.runs.slice(0, count);
  }

  /** The workloads of all runs, in their order. */
  get workloads(): string[] {
    return this.runs.map(({ job }) => job.text());
  }
}
