/** The public face of a worker: its functions and its life. */
import { EventEmitter } from 'node:events';
import { gearmanError, invalidArgument, type GearmanError } from '../errors.js';
import { debug } from '../observe.js';
import { kindOf } from '../protocol/arguments.js';
import { nodeRuntime, type Runtime } from '../runtime.js';
import { defaultServers, parseServers, type Servers } from '../transport/address.js';
import { Deadlines, Timed } from '../transport/deadlines.js';
import { asOptions, nameOnWire } from '../transport/settings.js';
import { Dispatcher, type DispatcherOwner } from './dispatcher.js';
import type { Job } from './job.js';
import type { JobHandler } from './lane.js';
import {
  readCloseTimeout,
  readFunctionOptions,
  readWorkerOptions,
  type FunctionOptions,
  type GearmanWorkerOptions,
  type WorkerSettings,
} from './options.js';
import type { JobOutcome, Task } from './task.js';

/** The events of a worker, and what their listeners get. What a listener throws is an uncaught exception, and hurts no job. */
export interface GearmanWorkerEvents {
  /** A handler is called. */
  'job:start': [job: Job];
  /** A handler has ended. */
  'job:end': [job: Job, outcome: JobOutcome];
  /** A job did not complete, and why; before its `job:end`. */
  'job:error': [job: Job, error: Error];
  /** A job server has the functions. */
  connect: [server: string];
  /** A job server does not have them any more, or could not be reached, and why; once until it is connected. */
  disconnect: [server: string, error: GearmanError];
  /** No job runs, and every server that is connected has said that it has none; or no more are wanted. */
  idle: [];
}

/** How long handlers whose signal was aborted have to end before `close` resolves without them, in milliseconds. */
const GRACE_MS = 1000;

/** Something to be done when its time has come. */
class Later extends Timed {
  override readonly onDue: () => void;

  constructor(onDue: () => void) {
    super();
    this.onDue = onDue;
  }
}

/**
 * Does the jobs of a pool of job servers, of all at the same time. A started worker keeps the process alive until it is closed.
 *
 * ```ts
 * const worker = new GearmanWorker();
 * worker.addFunction('reverse', (job) => [...job.text()].reverse().join(''));
 * await worker.start();
 * ```
 */
export class GearmanWorker extends EventEmitter<GearmanWorkerEvents> {
  readonly #settings: WorkerSettings;
  readonly #deadlines: Deadlines;
  readonly #dispatcher: Dispatcher;
  #state: 'new' | 'started' | 'closing' | 'closed' = 'new';
  /** It was started and keeps the process alive. */
  #isHeld = false;
  /** Nothing has been done since the last `idle`. */
  #isIdle = true;
  /** It does not wait for handlers any more, but for a second. */
  #isCut = false;
  /** Every socket is closed. */
  #isGone = false;
  readonly #grace = new Later(() => {
    this.#finish();
  });
  readonly #idleness = new Later(() => void this.close());
  readonly #whenConnected: { resolve: () => void; reject: (error: GearmanError) => void }[] = [];
  readonly #whenClosed: (() => void)[] = [];

  /**
   * @param options - options, or just the servers
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: an unknown option, a bad value or a bad address
   */
  constructor(options?: GearmanWorkerOptions | Servers);
  /** @internal */
  constructor(options: GearmanWorkerOptions | Servers | undefined, runtime: Runtime);
  constructor(options: GearmanWorkerOptions | Servers = {}, runtime: Runtime = nodeRuntime) {
    super();
    const given = asOptions<GearmanWorkerOptions>(options);
    const settings = readWorkerOptions(given);
    const { servers } = given;
    const addresses = servers === undefined ? defaultServers(settings.tls) : parseServers(servers, settings.tls);
    this.#settings = settings;
    this.#deadlines = new Deadlines(runtime);
    const world = { settings, runtime, deadlines: this.#deadlines, isIssued: () => true };
    this.#dispatcher = new Dispatcher(world, settings, addresses, this.#listener());
  }

  /**
   * Adds a function, also while the worker runs.
   * @param name - function name: 1 to 511 bytes without NUL
   * @param handler - does a job and returns its result: a string, bytes or nothing
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: a bad name, an unknown option, a bad value, or a function that is there already; `GEARMAN_SHUTDOWN`
   */
  addFunction(name: string, handler: JobHandler, options: FunctionOptions = {}): this {
    if (this.#state === 'closing' || this.#state === 'closed') throw wasClosed();
    const onWire = nameOnWire('The function name', name, this.#settings);
    if (typeof handler !== 'function') {
      throw invalidArgument(`The handler of ${name} must be a function, not ${kindOf(handler)}.`);
    }
    const settings = readFunctionOptions(options);
    if (this.#dispatcher.has(onWire)) {
      throw invalidArgument(`The worker has the function ${name} already. Remove it first.`, { function: name });
    }
    this.#dispatcher.add({ name, nameOnWire: onWire, handler, settings });
    return this;
  }

  /** Removes a function, also while the worker runs: its jobs that run may end. One that is not there is ignored. */
  removeFunction(name: string): this {
    this.#dispatcher.remove(nameOnWire('The function name', name, this.#settings));
    return this;
  }

  /**
   * Connects to all job servers, and goes on until the worker is closed, whatever happens to them.
   * @returns when the first of them has the functions
   * @throws GearmanError `GEARMAN_INVALID_ARGUMENT`: there is no function; `GEARMAN_SHUTDOWN`: the worker was closed
   */
  async start(): Promise<void> {
    if (this.#state === 'closing' || this.#state === 'closed') throw wasClosed();
    if (!this.#dispatcher.hasFunctions)
      throw invalidArgument('The worker has no function. Add one with addFunction().');
    if (this.#state === 'new') this.#begin();
    if (this.#dispatcher.isConnected) return;
    await new Promise<void>((resolve, reject) => {
      this.#whenConnected.push({ resolve, reject });
    });
  }

  /** Asks for no more jobs; those that run go on. */
  pause(): this {
    this.#deadlines.stop(this.#idleness);
    this.#dispatcher.pause(true);
    return this;
  }

  /** Takes {@link GearmanWorker.pause} back. */
  resume(): this {
    this.#dispatcher.pause(false);
    this.#awaitJob();
    return this;
  }

  /**
   * Asks for no more jobs, lets those that run end, tells the servers, and leaves. May be called again, then the shortest timeout
   * wins.
   * @param options - `timeout`: when it has run out, in milliseconds, the signals of the jobs that still run are aborted and the jobs
   * given back to their servers; no limit by default
   * @returns when nothing is left; handlers that were cut off have another second to end
   */
  async close(options: { readonly timeout?: number | undefined } = {}): Promise<void> {
    const timeout = readCloseTimeout(options);
    if (this.#state === 'closed') return;
    const cut = new Later(() => {
      this.destroy();
    });
    this.#deadlines.start(cut, timeout);
    const closed = new Promise<void>((resolve) => {
      this.#whenClosed.push(resolve);
    });
    this.#shutDown();
    await closed;
    this.#deadlines.stop(cut);
  }

  /**
   * Leaves now: aborts the signals of the jobs that run and gives the jobs back to their servers. So it does with a job that has
   * ended and whose result has not left yet.
   */
  destroy(): void {
    this.#shutDown();
    if (this.#state === 'closing' && !this.#isCut) this.#deadlines.start(this.#grace, GRACE_MS);
    this.#isCut = true;
    this.#dispatcher.destroy(gearmanError('GEARMAN_SHUTDOWN', 'The worker was cut off.'));
  }

  /** `await using worker = new GearmanWorker()` closes it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #begin(): void {
    this.#state = 'started';
    this.#deadlines.hold();
    this.#isHeld = true;
    this.#awaitJob();
    debug.worker('started');
    this.#dispatcher.start();
  }

  #shutDown(): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#state = 'closing';
    debug.worker('closing');
    this.#deadlines.stop(this.#idleness);
    for (const { reject } of this.#whenConnected.splice(0)) reject(wasClosed());
    this.#dispatcher.close();
  }

  #listener(): DispatcherOwner {
    return {
      onJobStart: (job) => {
        this.#isIdle = false;
        this.#deadlines.stop(this.#idleness);
        this.#tell('job:start', job);
      },
      onJobEnd: (task) => {
        this.#onJobEnd(task);
      },
      onConnect: (server) => {
        for (const { resolve } of this.#whenConnected.splice(0)) resolve();
        this.#tell('connect', server);
      },
      onDisconnect: (server, error) => {
        this.#tell('disconnect', server, error);
      },
      onIdle: () => {
        this.#onIdle();
      },
      onGone: () => {
        this.#isGone = true;
        if (!this.#dispatcher.isRunning) this.#finish();
      },
    };
  }

  #onJobEnd({ job, outcome = 'complete', error }: Task): void {
    if (error !== undefined) this.#tell('job:error', job, error);
    this.#tell('job:end', job, outcome);
    this.#awaitJob();
    if (this.#isGone && !this.#dispatcher.isRunning) this.#finish();
  }

  #finish(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#deadlines.stop(this.#grace);
    if (this.#isHeld) this.#deadlines.release();
    for (const resolve of this.#whenClosed.splice(0)) resolve();
  }

  #onIdle(): void {
    if (this.#isIdle) return;
    this.#isIdle = true;
    this.#tell('idle');
    if (this.#dispatcher.isSpent) void this.close();
  }

  /** From now on it has nothing to do, unless it has. */
  #awaitJob(): void {
    if (this.#state !== 'started' || this.#dispatcher.isPaused || this.#dispatcher.isRunning) return;
    this.#deadlines.start(this.#idleness, this.#settings.idleTimeout);
  }

  #tell<Name extends keyof GearmanWorkerEvents>(name: Name, ...args: GearmanWorkerEvents[Name]): void {
    try {
      (this.emit as (name: Name, ...args: GearmanWorkerEvents[Name]) => boolean).call(this, name, ...args);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
}

function wasClosed(): GearmanError {
  return gearmanError('GEARMAN_SHUTDOWN', 'The worker was closed. Make a new one.');
}
