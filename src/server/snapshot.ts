/** Jobs as they are shown to users: plain objects that do not change. */
import { PRIORITY, type Job } from './job.js';
import type { JobState } from './queue.js';

/** A job as it was at one moment. */
export interface JobSnapshot {
  /** The job handle. */
  readonly handle: string;
  /** Function name. */
  readonly function: string;
  /** Unique ID; `''` if the client gave none. */
  readonly unique: string;
  /** `'queued'`, `'running'` or, once it has ended or will not start any more, `'done'`. */
  readonly state: JobState;
  /** Its priority. */
  readonly priority: 'high' | 'normal' | 'low';
  /** Whether it was submitted in the background, be it among others. */
  readonly background: boolean;
  /** How many submissions wait for its result. */
  readonly waitingClients: number;
  /** How often it was taken from a worker that left or was too slow. */
  readonly retries: number;
  /** What its worker said last of its progress; 0 before. */
  readonly numerator: number;
  /** What the numerator is a part of; 0 before the worker said so. */
  readonly denominator: number;
  /** The workload. */
  readonly workload: Buffer;
}

const PRIORITY_NAMES = ['high', 'normal', 'low'] as const satisfies readonly (keyof typeof PRIORITY)[];

/** A copy of what is known of a job. */
export function snapshotOf(job: Job, handle: string, state: JobState): JobSnapshot {
  return {
    handle,
    function: asText(job.fn.name),
    unique: asText(job.unique),
    state,
    priority: PRIORITY_NAMES[job.priority],
    background: job.isBackground,
    waitingClients: job.waitingClients,
    retries: job.retries,
    ...job.progress,
    workload: typeof job.workload === 'string' ? Buffer.from(job.workload, 'latin1') : Buffer.from(job.workload),
  };
}

/** What a job is doing now, as long as it is in the queue. */
export function stateOf(job: Job): JobState {
  if (job.holder !== undefined) return 'running';
  return job.isWanted ? 'queued' : 'done';
}

/** Names came as bytes. */
function asText(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}

/** As {@link asText} backwards. */
export function asLatin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}
