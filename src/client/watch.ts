/** Follows a job by asking for its status now and then. */
import { GearmanError } from '../errors.js';
import { Timed, type Deadlines } from '../transport/deadlines.js';
import { aborted, type Calls } from './calls.js';
import type { RequestOptions, WatchOptions } from './options.js';
import type { JobStatus } from './question.js';

/** What `watch` tells of a job. */
export interface JobProgress {
  /** Whether the server knows the job: it is queued or running. `false` is the last thing that is told. */
  readonly known: boolean;
  /** Whether a worker has it. */
  readonly running: boolean;
  /** How much is done, as the worker reported it; 0 before that. */
  readonly numerator: number;
  /** Of how much, likewise. */
  readonly denominator: number;
}

/** What a watch needs of its client. */
export interface Watched {
  readonly calls: Calls;
  readonly deadlines: Deadlines;
  /** Aborted, with the error as its reason, when the client is closed. */
  readonly ending: AbortSignal;
  /** The client's timeout in milliseconds. */
  readonly timeout: number;
  /** Asks for the status. */
  ask(options: RequestOptions): Promise<JobStatus>;
}

const CANNOT_BE_ASKED: readonly string[] = ['GEARMAN_COULD_NOT_CONNECT', 'GEARMAN_LOST_CONNECTION', 'GEARMAN_TIMEOUT'];

/** A pause that a signal, or the end of the client, cuts short. */
class Pause extends Timed {
  readonly over: Promise<void>;
  readonly #watched: Watched;
  readonly #signal: AbortSignal | undefined;
  #isOver = false;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(watched: Watched, ms: number, signal: AbortSignal | undefined) {
    super();
    this.#watched = watched;
    this.#signal = signal;
    this.over = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    watched.calls.begin(this, ms, signal);
    if (this.#isOver) return;
    if (watched.ending.aborted) this.onDue();
    else watched.ending.addEventListener('abort', this.#onEnding, { once: true });
  }

  override onDue(): void {
    this.#end();
    this.#resolve();
  }

  onAbort(reason: unknown): void {
    this.#end();
    this.#reject(aborted(reason, 'the job goes on'));
  }

  /** The next question says what is to be said about it. */
  readonly #onEnding = (): void => {
    this.onDue();
  };

  #end(): void {
    this.#isOver = true;
    this.#watched.ending.removeEventListener('abort', this.#onEnding);
    this.#watched.calls.end(this, this.#signal);
  }
}

/** Yields each change once; the last item is `known: false`. See `GearmanClient.watch`. */
export async function* watch(watched: Watched, options: WatchOptions): AsyncGenerator<JobProgress, void, void> {
  const { interval = 1000, timeout = 60_000, signal } = options;
  let told: JobStatus | undefined;
  let reachedMs = watched.deadlines.now();
  for (;;) {
    const leftMs = reachedMs + timeout - watched.deadlines.now();
    const status = await askOnce(watched, { timeout: Math.max(1, Math.min(watched.timeout, leftMs)), signal }, leftMs);
    if (status !== undefined) reachedMs = watched.deadlines.now();
    if (status !== undefined && status.join() !== told?.join()) {
      told = status;
      const [known, running, numerator, denominator] = status;
      yield { known, running, numerator, denominator };
      if (!known) return;
      // The consumer may have taken its time.
      reachedMs = watched.deadlines.now();
    }
    await new Pause(watched, Math.max(1, Math.min(interval, reachedMs + timeout - watched.deadlines.now())), signal)
      .over;
  }
}

/** The status, or nothing while the server cannot be asked and there is time left. */
async function askOnce(watched: Watched, options: RequestOptions, leftMs: number): Promise<JobStatus | undefined> {
  const startedMs = watched.deadlines.now();
  try {
    return await watched.ask(options);
  } catch (error) {
    const isPassing = error instanceof GearmanError && CANNOT_BE_ASKED.includes(error.code);
    const isInTime = watched.deadlines.now() - startedMs < leftMs;
    if (isPassing && isInTime) return undefined;
    throw error;
  }
}
