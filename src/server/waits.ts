/** Waits until a job is in a state, which it may have left again when it is looked at: so the last ones that are gone are remembered. */
import { failAtCaller, gearmanError, invalidArgument, type GearmanError } from '../errors.js';
import { checkOptions, kindOf } from '../protocol/arguments.js';
import { LONGEST_TIMER_MS, type Runtime } from '../runtime.js';
import type { Handles } from './handles.js';
import type { Job } from './job.js';
import type { JobState, Queue } from './queue.js';
import { asLatin1, snapshotOf, stateOf, type JobSnapshot } from './snapshot.js';

/** Which job is meant: its handle, or any job of a function. */
export type JobTarget = string | { readonly function: string };

/** Options of {@link JobServer.waitFor}. */
export interface WaitOptions {
  /** Milliseconds until it rejects; 10 s by default, `Infinity` for never. */
  readonly timeout?: number | undefined;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

interface Ended {
  readonly job: Job;
  readonly hasRun: boolean;
}

interface Wait {
  readonly target: JobTarget;
  readonly matches: (job: Job) => boolean;
  readonly state: JobState;
  readonly resolve: (snapshot: JobSnapshot) => void;
  readonly reject: (error: GearmanError) => void;
}

/** A generation of jobs that are gone is full with so many, or with so many bytes of workloads; two are remembered. */
const GENERATION_JOBS = 1000;
const GENERATION_BYTES = 8 * 1024 * 1024;
/** Longer workloads of jobs that are gone are not kept. */
const LARGEST_WORKLOAD = 16_384;
const STATES: readonly JobState[] = ['queued', 'running', 'done'];

/** See the head of this file. */
export class Waits {
  readonly #runtime: Runtime;
  readonly #handles: Handles;
  readonly #queue: () => Queue;
  readonly #waits = new Set<Wait>();
  #young = new Map<number, Ended>();
  #old = new Map<number, Ended>();
  #youngBytes = 0;

  /** @param queue - the queue as it is when it is asked for: a restart makes a new one */
  constructor(runtime: Runtime, handles: Handles, queue: () => Queue) {
    this.#runtime = runtime;
    this.#handles = handles;
    this.#queue = queue;
  }

  /** A job has come into a state. */
  onState(job: Job, state: JobState, hasRun: boolean): void {
    if (state === 'done') this.#remember(job, hasRun);
    // One that nobody waited for any more, and now somebody does.
    else if (!this.#young.delete(job.number)) this.#old.delete(job.number);
    for (const wait of this.#waits) {
      if (!wait.matches(job) || !counts(wait.state, state, hasRun)) continue;
      wait.resolve(this.#snapshot(job, state));
    }
  }

  /** The jobs are gone with their server, and their numbers will be given anew. */
  forget(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#youngBytes = 0;
  }

  /** Rejects all waits. */
  end(error: GearmanError): void {
    for (const wait of this.#waits) wait.reject(error);
  }

  /** See {@link JobServer.waitFor}. */
  until(target: JobTarget, state: JobState, options: WaitOptions): Promise<JobSnapshot> {
    const matches = this.#matcher(target);
    const { timeout, signal } = readWaitOptions(state, options);
    const there = this.#find(matches, state);
    if (there !== undefined) return Promise.resolve(there);
    if (signal?.aborted === true) return Promise.reject(aborted(signal));
    return new Promise((resolve) => {
      const timer =
        timeout === Infinity
          ? undefined
          : this.#runtime.setTimer(() => {
              wait.reject(this.#timedOut(wait, timeout));
            }, timeout);
      const onAbort = (): void => {
        if (signal !== undefined) wait.reject(aborted(signal));
      };
      const settle = (result: JobSnapshot | Promise<never>): void => {
        this.#waits.delete(wait);
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
        resolve(result);
      };
      const reject = (error: GearmanError): void => {
        settle(failAtCaller(error));
      };
      const wait: Wait = { target, matches, state, resolve: settle, reject };
      signal?.addEventListener('abort', onAbort);
      this.#waits.add(wait);
    });
  }

  #snapshot(job: Job, state: JobState): JobSnapshot {
    return snapshotOf(job, this.#handles.of(job.number), state);
  }

  #remember(job: Job, hasRun: boolean): void {
    const kept = job.workload.length > LARGEST_WORKLOAD ? job.withoutWorkload() : job;
    this.#old.delete(job.number);
    this.#young.set(job.number, { job: kept, hasRun });
    this.#youngBytes += kept.workload.length;
    if (this.#young.size < GENERATION_JOBS && this.#youngBytes < GENERATION_BYTES) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  *#ended(): Generator<Ended> {
    yield* this.#young.values();
    yield* this.#old.values();
  }

  /** A job that is in the state, else one that is gone and was. */
  #find(matches: (job: Job) => boolean, state: JobState): JobSnapshot | undefined {
    for (const job of this.#queue().jobs) {
      if (matches(job) && stateOf(job) === state) return this.#snapshot(job, state);
    }
    for (const { job, hasRun } of this.#ended()) {
      if (matches(job) && counts(state, 'done', hasRun)) return this.#snapshot(job, 'done');
    }
    return undefined;
  }

  #matcher(target: unknown): (job: Job) => boolean {
    if (typeof target === 'string') {
      const number = this.#handles.numberOf(target);
      if (number === undefined) throw invalidArgument(`'${target}' is no job handle of this server.`);
      return (job) => job.number === number;
    }
    const { function: name } = checkOptions('waitFor', target, ['function']) as { function?: unknown };
    if (typeof name !== 'string') throw invalidArgument(`A function name is a string, not ${kindOf(name)}.`);
    const latin1 = asLatin1(name);
    return (job) => job.fn.name === latin1;
  }

  #timedOut({ target, matches, state }: Wait, timeout: number): GearmanError {
    const seen = new Map<string, number>();
    const count = (what: string): unknown => seen.set(what, (seen.get(what) ?? 0) + 1);
    for (const job of this.#queue().jobs) if (matches(job) && stateOf(job) !== 'done') count(stateOf(job));
    for (const { job, hasRun } of this.#ended()) if (matches(job)) count(hasRun ? 'done' : 'ended without running');
    const list = Array.from(seen, ([what, times]) => `${String(times)} ${what}`).join(', ');
    const what = typeof target === 'string' ? `The job ${target}` : `A job of the function '${target.function}'`;
    const found = list === '' ? 'no such job was seen' : `seen: ${list}`;
    const message = `${what} was not ${state} within ${String(timeout)} ms; ${found}.`;
    const details = typeof target === 'string' ? { handle: target } : { function: target.function };
    return gearmanError('GEARMAN_TIMEOUT', message, details);
  }
}

/** A job that is done has been queued, and perhaps running. */
function counts(wanted: JobState, state: JobState, hasRun: boolean): boolean {
  return state === wanted || (state === 'done' && (wanted === 'queued' || hasRun));
}

function readWaitOptions(state: unknown, given: unknown): { timeout: number; signal: AbortSignal | undefined } {
  if (!STATES.includes(state as JobState)) throw invalidArgument(`The state is one of ${STATES.join(', ')}.`);
  const { timeout = 10_000, signal }: WaitOptions = checkOptions('waitFor', given, ['timeout', 'signal']);
  if (typeof timeout !== 'number' || !(timeout > 0) || (timeout > LONGEST_TIMER_MS && timeout !== Infinity)) {
    throw invalidArgument('The option timeout must be a number of milliseconds above 0, or Infinity.');
  }
  if (signal !== undefined && typeof (signal as AbortSignal | null)?.addEventListener !== 'function') {
    throw invalidArgument(`The option signal must be an AbortSignal, not ${kindOf(signal)}.`);
  }
  return { timeout, signal };
}

function aborted(signal: AbortSignal): GearmanError {
  return gearmanError('GEARMAN_ABORTED', 'The wait for a job was aborted.', { cause: signal.reason });
}
