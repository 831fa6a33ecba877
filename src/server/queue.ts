/**
 * The queue: what a job server knows and decides, without sockets and timers. Whatever it does takes constant time, or grows with the
 * logarithm of the jobs that have a time; what it does for a worker grows with the number of that worker's functions.
 */
import { createHash } from 'node:crypto';
import { Heap } from './heap.js';
import {
  Job,
  JobFunction,
  NO_PROGRESS,
  PRIORITIES,
  type JobDetails,
  type Listener,
  type Listeners,
  type Priority,
} from './job.js';
import { JobIndex, JobTable } from './table.js';
import type { Ability, Worker } from './worker.js';

/** Two clocks in milliseconds. */
export interface QueueClock {
  /** Only goes forward. */
  readonly now: () => number;
  /** Since 1970. */
  readonly wallClock: () => number;
}

/** What a job is doing. */
export type JobState = 'queued' | 'running' | 'done';

/** Who is told what becomes of jobs. */
export interface QueueObserver {
  /** It is in this state now; `hasRun` says of one that is done whether it ever ran. */
  onState(job: Job, state: JobState, hasRun: boolean): void;
  /** It was given up: those who waited for it must hear of that. */
  onGivenUp(job: Job, listeners: Listeners): void;
}

/** What the queue does one way or another. */
export interface QueueSettings {
  /** A job that is taken from a worker this many times fails. */
  readonly jobRetries: number;
  /** Whether a worker's functions take turns, instead of the latest one going first while it has jobs. */
  readonly roundRobin: boolean;
}

/** A submission. */
export interface Submission {
  readonly functionName: string;
  readonly unique: string;
  readonly workload: string | Buffer;
  readonly priority: Priority;
  readonly reducer: string;
  /** The seconds since 1970 from which on it may run; any other time is now. */
  readonly epoch: number;
  /** Who waits for it; nobody for one in the background. */
  readonly listener: Listener | undefined;
}

const NOBODY: Listeners = new Map();
/** Coalesces by workload. */
const BY_WORKLOAD = '-';
/** Longer workloads are told apart by their hash: V8 hashes long strings by their length alone. */
const LONGEST_KEY = 256;

/** See the head of this file. */
export class Queue {
  readonly #clock: QueueClock;
  readonly #settings: QueueSettings;
  readonly #observer: QueueObserver;
  readonly #functions = new Map<string, JobFunction>();
  readonly #jobs = new JobTable();
  readonly #byUnique = new JobIndex(this.#jobs, (job) => job.unique);
  readonly #byWorkload = new JobIndex(this.#jobs, (job) => keyOfWorkload(job.workload));
  /** Jobs to come, by their epoch in milliseconds. */
  readonly #scheduled = new Heap<Job>();
  /** Running jobs whose worker has so much time, by its end. */
  readonly #deadlines = new Heap<Job>();
  #lastNumber = 0;

  constructor(clock: QueueClock, settings: QueueSettings, observer: QueueObserver) {
    this.#clock = clock;
    this.#settings = settings;
    this.#observer = observer;
  }

  /** All jobs, by number. */
  get jobs(): JobTable {
    return this.#jobs;
  }

  /** All functions, in the order in which they were first named. */
  get functions(): Iterable<JobFunction> {
    return this.#functions.values();
  }

  /** The function of that name, if it was ever named. */
  findFunction(name: string): JobFunction | undefined {
    return this.#functions.get(name);
  }

  /** The function of that name, from now on if not before. */
  functionNamed(name: string): JobFunction {
    const known = this.#functions.get(name);
    if (known !== undefined) return known;
    const fn = new JobFunction(name);
    this.#functions.set(name, fn);
    return fn;
  }

  /** The job with that unique ID, of whatever function. */
  findUnique(unique: string): Job | undefined {
    return unique === '' || unique === BY_WORKLOAD ? undefined : this.#byUnique.find(unique);
  }

  /** The job of a submission, new or known; none when its function has too many. */
  submit(submission: Submission): Job | undefined {
    const fn = this.functionNamed(submission.functionName);
    const index = this.#indexFor(submission.unique, submission.workload);
    const known = index?.find(keyOf(submission), fn);
    // A cancelled job will not do what this one asks for.
    const isNew = known === undefined || known.isCancelled;
    const job = isNew ? this.#create(fn, submission, index) : known;
    if (job === undefined) return undefined;
    const wasWanted = job.isWanted;
    if (submission.listener === undefined) job.becomeBackground();
    else listen(job, submission.listener);
    if (isNew) this.#enter(job, submission.epoch);
    else if (!wasWanted && job.holder === undefined) this.#observer.onState(job, 'queued', job.retries > 0);
    return job;
  }

  /** The next job for a worker, which runs it from now on. */
  grab(worker: Worker): Job | undefined {
    worker.rise();
    const [ability, job] = this.#choose(worker) ?? [];
    if (ability === undefined || job === undefined) return undefined;
    ability.fn.shift(job.priority);
    if (this.#settings.roundRobin) worker.moveLast(ability);
    ability.fn.running++;
    job.holder = worker;
    worker.running.add(job);
    if (ability.timeoutMs > 0) job.alarm = this.#deadlines.push(this.#clock.now() + ability.timeoutMs, job);
    this.#observer.onState(job, 'running', true);
    return job;
  }

  /** Whether there is a job for a worker now. */
  hasJobFor(worker: Worker): boolean {
    return this.#choose(worker) !== undefined;
  }

  /**
   * It is over, whatever came of it; returns those who waited for it. They are told afterwards: telling one may cut his connection,
   * which takes away what he runs.
   */
  end(job: Job): Listeners {
    // Of one that nobody wanted was told when that came about.
    const isNews = job.holder !== undefined || job.isWanted;
    const hasRun = job.holder !== undefined || job.retries > 0;
    this.#release(job);
    job.fn.total--;
    this.#jobs.delete(job);
    this.#indexFor(job.unique, job.workload)?.delete(job);
    const listeners = job.listeners ?? NOBODY;
    job.listeners = undefined;
    for (const listener of listeners.keys()) listener.waitsFor.delete(job);
    if (isNews) this.#observer.onState(job, 'done', hasRun);
    return listeners;
  }

  /** Takes jobs away from a worker, the latest first as gearmand does: all of them, or those of a function. */
  takeAway(worker: Worker, fn?: JobFunction): void {
    for (const job of [...worker.running].reverse()) if (fn === undefined || job.fn === fn) this.#requeue(job);
  }

  /** It does not start any more; one that runs goes on, for its worker is not told. */
  cancel(job: Job): void {
    const wasWanted = job.isWanted;
    job.cancel();
    if (wasWanted) this.#onUnwanted(job);
  }

  /** A listener leaves: what nobody else waits for does not start any more. */
  leave(listener: Listener): void {
    for (const job of listener.waitsFor) {
      job.listeners?.delete(listener);
      if (!job.isWanted && !job.isCancelled) this.#onUnwanted(job);
    }
    listener.waitsFor.clear();
  }

  /** Forgets a function and gives its jobs up; only when nobody works on them. */
  drop(fn: JobFunction): void {
    this.#functions.delete(fn.name);
    for (const job of [...this.#jobs].filter((each) => each.fn === fn)) {
      this.#giveUp(job);
    }
  }

  /** Milliseconds until {@link onDue} has something to do; `undefined` while nothing has a time. */
  get dueInMs(): number | undefined {
    const epoch = this.#scheduled.first;
    const deadline = this.#deadlines.first;
    if (epoch === undefined && deadline === undefined) return undefined;
    const untilEpoch = epoch === undefined ? Infinity : epoch.key - this.#clock.wallClock();
    const untilDeadline = deadline === undefined ? Infinity : deadline.key - this.#clock.now();
    return Math.max(0, Math.min(untilEpoch, untilDeadline));
  }

  /** Makes jobs of the past runnable, and takes those away that their workers had too long. */
  onDue(): void {
    this.#start();
    for (let first = this.#deadlines.first; first !== undefined; first = this.#deadlines.first) {
      if (first.key > this.#clock.now()) return;
      this.#requeue(first.item);
    }
  }

  #start(): void {
    for (let first = this.#scheduled.first; first !== undefined; first = this.#scheduled.first) {
      if (first.key > this.#clock.wallClock()) return;
      this.#scheduled.remove(first);
      const job = first.item;
      job.alarm = undefined;
      job.fn.scheduled--;
      job.fn.pushDue(job);
      wake(job.fn);
    }
  }

  /** HIGH of any function goes before NORMAL of any. Meets and ends the jobs that nobody wants. */
  #choose(worker: Worker): [Ability, Job] | undefined {
    if (this.#scheduled.size > 0) this.#start();
    for (const priority of PRIORITIES) {
      for (const ability of worker.abilities) {
        const job = this.#firstWanted(ability.fn, priority);
        if (job !== undefined) return [ability, job];
      }
    }
    return undefined;
  }

  #firstWanted(fn: JobFunction, priority: Priority): Job | undefined {
    for (let job = fn.first(priority); job !== undefined; job = fn.first(priority)) {
      if (job.isWanted) return job;
      fn.shift(priority);
      this.end(job);
    }
    return undefined;
  }

  #indexFor(unique: string, workload: string | Buffer): JobIndex | undefined {
    if (unique === '') return undefined;
    if (unique !== BY_WORKLOAD) return this.#byUnique;
    return workload.length === 0 ? undefined : this.#byWorkload;
  }

  #create(fn: JobFunction, submission: Submission, index: JobIndex | undefined): Job | undefined {
    const { unique, workload, priority, reducer } = submission;
    const limit = fn.limits[priority] ?? 0;
    if (limit > 0 && fn.total >= limit) return undefined;
    const details: JobDetails = { fn, unique, workload, priority, reducer };
    const job = new Job(++this.#lastNumber, details);
    fn.total++;
    this.#jobs.add(job);
    index?.add(job);
    return job;
  }

  /** A new job takes its place. gearmand wakes workers for one of the future, too. */
  #enter(job: Job, epoch: number): void {
    const dueMs = epoch * 1000;
    if (epoch > 0 && dueMs > this.#clock.wallClock()) {
      job.alarm = this.#scheduled.push(dueMs, job);
      job.fn.scheduled++;
    } else {
      job.fn.push(job);
    }
    this.#observer.onState(job, 'queued', false);
    wake(job.fn);
  }

  /** Nobody runs it and it has no time any more. */
  #release(job: Job): void {
    const { alarm, holder } = job;
    job.alarm = undefined;
    if (holder === undefined) {
      if (alarm === undefined) return;
      this.#scheduled.remove(alarm);
      job.fn.scheduled--;
      return;
    }
    if (alarm !== undefined) this.#deadlines.remove(alarm);
    holder.running.delete(job);
    job.holder = undefined;
    job.fn.running--;
  }

  #giveUp(job: Job): void {
    const listeners = this.end(job);
    this.#observer.onGivenUp(job, listeners);
  }

  /** Its worker has it no longer: it goes to the tail of its priority, or ends. */
  #requeue(job: Job): void {
    job.countRetry();
    if (job.retries >= this.#settings.jobRetries) {
      this.#giveUp(job);
      return;
    }
    this.#release(job);
    job.progress = NO_PROGRESS;
    job.fn.push(job);
    if (job.isWanted) this.#observer.onState(job, 'queued', true);
    else this.#onUnwanted(job);
    wake(job.fn);
  }

  /** It stays where it stands until a worker would get it, as in gearmand; for whoever waits it is over. */
  #onUnwanted(job: Job): void {
    if (job.holder === undefined) this.#observer.onState(job, 'done', job.retries > 0);
  }
}

function wake(fn: JobFunction): void {
  for (const worker of fn.sleeping) worker.wake();
}

function listen(job: Job, listener: Listener): void {
  job.listeners ??= new Map();
  job.listeners.set(listener, (job.listeners.get(listener) ?? 0) + 1);
  listener.waitsFor.add(job);
}

function keyOf({ unique, workload }: Submission): string {
  return unique === BY_WORKLOAD ? keyOfWorkload(workload) : unique;
}

function keyOfWorkload(workload: string | Buffer): string {
  if (workload.length > LONGEST_KEY) return hashOf(workload);
  return typeof workload === 'string' ? workload : workload.toString('latin1');
}

function hashOf(workload: string | Buffer): string {
  const hash = createHash('sha256');
  if (typeof workload === 'string') hash.update(workload, 'latin1');
  else hash.update(workload);
  return hash.digest('base64');
}
