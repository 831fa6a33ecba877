/**
 * Jobs, their functions and the lists in which jobs stand. There may be a million jobs: each has a few fields, no list and no closure
 * of its own. Names, unique IDs and short workloads are latin1 strings, one character a byte, which take less than a view of a chunk
 * and do not keep the chunk.
 */
import type { Argument } from '../protocol/encode.js';
import { Heap, type HeapEntry } from './heap.js';

/** Indexes of the lists of a function, the most urgent first. */
export const PRIORITY = { high: 0, normal: 1, low: 2 } as const;

/** One of {@link PRIORITY}. */
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY];

/** The order in which they are served. */
export const PRIORITIES: readonly Priority[] = [PRIORITY.high, PRIORITY.normal, PRIORITY.low];

/** Who waits for a job in the foreground. */
export interface Listener {
  /** The jobs that it waits for; the queue keeps it. */
  readonly waitsFor: Set<Job>;
  /** Whether it asked for WORK_EXCEPTION. */
  readonly hasExceptions: boolean;
  /** Sends a packet; nobody may change its bytes from then on. */
  send(type: number, args: readonly Argument[]): void;
}

/** Who waits for a job, and how many submissions of each do. */
export type Listeners = ReadonlyMap<Listener, number>;

/** Who runs a job. */
export interface Holder {
  /** The jobs that it runs, in the order in which it got them; the queue keeps it. */
  readonly running: Set<Job>;
  /** It sleeps, and a job of one of its functions has come. */
  wake(): void;
}

/** What a submission says of its job. */
export interface JobDetails {
  readonly fn: JobFunction;
  readonly unique: string;
  readonly workload: string | Buffer;
  readonly priority: Priority;
  /** `''` for none. */
  readonly reducer: string;
}

/** What a worker said of its job. */
export interface Progress {
  readonly numerator: number;
  readonly denominator: number;
}

/** Nothing yet. */
export const NO_PROGRESS: Progress = { numerator: 0, denominator: 0 };

const PRIORITY_BITS = 3;
const BACKGROUND_BIT = 4;
const CANCELLED_BIT = 8;
/** The retries are the bits above those. */
const ONE_RETRY = 16;

/** One job, from its submission until it ends. */
export class Job {
  /** The number in its handle. */
  readonly number: number;
  readonly fn: JobFunction;
  readonly unique: string;
  readonly workload: string | Buffer;
  readonly reducer: string;
  /** What takes a few bits each, for a field of its own would take 64: see the accessors. */
  #bits: number;
  progress: Progress = NO_PROGRESS;
  /** How many submissions of each listener wait for it. */
  listeners: Map<Listener, number> | undefined;
  /** Who runs it, if anybody does. */
  holder: Holder | undefined;
  /** When it is due, or its time is up. */
  alarm: HeapEntry<Job> | undefined;
  /** The next one in its list. */
  next: Job | undefined;

  constructor(number: number, details: JobDetails) {
    this.number = number;
    this.fn = details.fn;
    this.unique = details.unique;
    this.workload = details.workload;
    this.reducer = details.reducer;
    this.#bits = details.priority;
  }

  get priority(): Priority {
    return (this.#bits & PRIORITY_BITS) as Priority;
  }

  /** Whether a submission was one in the background. */
  get isBackground(): boolean {
    return (this.#bits & BACKGROUND_BIT) !== 0;
  }

  /** A submission was one in the background. */
  becomeBackground(): void {
    this.#bits |= BACKGROUND_BIT;
  }

  /** Whether `cancel job` named it. */
  get isCancelled(): boolean {
    return (this.#bits & CANCELLED_BIT) !== 0;
  }

  cancel(): void {
    this.#bits |= CANCELLED_BIT;
  }

  /** How often it was taken from a worker that left or was too slow. */
  get retries(): number {
    return Math.floor(this.#bits / ONE_RETRY);
  }

  countRetry(): void {
    this.#bits += ONE_RETRY;
  }

  /** What there is to remember of it without its workload. */
  withoutWorkload(): Job {
    const { number, fn, unique, priority, reducer, progress } = this;
    const job = new Job(number, { fn, unique, workload: '', priority, reducer });
    job.#bits = this.#bits;
    job.progress = progress;
    return job;
  }

  /** Whether anybody has use for it: a job that nobody waits for any more does not start. */
  get isWanted(): boolean {
    return !this.isCancelled && (this.isBackground || (this.listeners !== undefined && this.listeners.size > 0));
  }

  /** How many submissions wait for it. */
  get waitingClients(): number {
    let count = 0;
    for (const times of this.listeners?.values() ?? []) count += times;
    return count;
  }
}

/** First in, first out; a job stands in at most one list. */
export class JobList {
  #first: Job | undefined;
  #last: Job | undefined;
  #length = 0;

  get first(): Job | undefined {
    return this.#first;
  }

  get length(): number {
    return this.#length;
  }

  push(job: Job): void {
    if (this.#last === undefined) this.#first = job;
    else this.#last.next = job;
    this.#last = job;
    this.#length++;
  }

  shift(): Job | undefined {
    const job = this.#first;
    if (job === undefined) return undefined;
    this.#first = job.next;
    job.next = undefined;
    if (this.#first === undefined) this.#last = undefined;
    this.#length--;
    return job;
  }
}

/** A function: the jobs that wait for a worker, and what is known of it beside. Once named, it stays until it is dropped. */
export class JobFunction {
  readonly name: string;
  /** Jobs that exist, however they stand. */
  total = 0;
  running = 0;
  /** How often workers have registered it. */
  workers = 0;
  /** Jobs of epochs that are to come. They count as queued with normal priority. */
  scheduled = 0;
  /** From so many jobs on, one of that priority is refused; 0 is no limit. */
  limits: readonly number[] = [0, 0, 0];
  /** Whom a job that comes wakes. */
  readonly sleeping: Set<Holder> = new Set<Holder>();
  readonly #lists: readonly JobList[] = PRIORITIES.map(() => new JobList());
  /** Jobs whose epoch has come, by number: they stand among those of normal priority where they were submitted. */
  readonly #due = new Heap<Job>();

  constructor(name: string) {
    this.name = name;
  }

  /** Jobs of a priority that wait for a worker. */
  queued(priority: Priority): number {
    const listed = this.#lists[priority]?.length ?? 0;
    return priority === PRIORITY.normal ? listed + this.#due.size + this.scheduled : listed;
  }

  /** The next job of a priority. */
  first(priority: Priority): Job | undefined {
    const listed = this.#lists[priority]?.first;
    if (priority !== PRIORITY.normal || this.#due.size === 0) return listed;
    const due = this.#due.first?.item;
    return due !== undefined && (listed === undefined || due.number < listed.number) ? due : listed;
  }

  /** Takes {@link first} off. */
  shift(priority: Priority): void {
    const job = this.first(priority);
    if (job !== undefined && job === this.#due.first?.item) this.#due.shift();
    else this.#lists[priority]?.shift();
  }

  push(job: Job): void {
    this.#lists[job.priority]?.push(job);
  }

  /** Its epoch has come. */
  pushDue(job: Job): void {
    this.#due.push(job.number, job);
  }
}
