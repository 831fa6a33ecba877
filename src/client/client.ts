/** The public face: checks that the client is open, hands each call to the file that knows it, and gives errors the caller's line. */
import { setMaxListeners } from 'node:events';
import { asError, gearmanError, invalidArgument, type GearmanError } from '../errors.js';
import { debug, isSubmitTraced, traceStatus, traceSubmit } from '../observe.js';
import type { Workload } from '../protocol/arguments.js';
import { nodeRuntime, type Runtime } from '../runtime.js';
import { DEFAULT_HOST, DEFAULT_PORT, type ServerAddress, type Servers } from '../transport/address.js';
import { Deadlines, Timed } from '../transport/deadlines.js';
import type { ServerState } from '../transport/endpoint.js';
import { Pool } from '../transport/pool.js';
import { asOptions } from '../transport/settings.js';
import { BackgroundJob, type JobAsker } from './background.js';
import { Calls, aborted } from './calls.js';
import { Handles } from './handles.js';
import { FunctionNames } from './names.js';
import {
  readCloseOptions,
  readRequestOptions,
  readWatchOptions,
  readClientOptions,
  type CloseOptions,
  type GearmanClientOptions,
  type PrioritySubmitOptions,
  type RequestOptions,
  type SubmitOptions,
  type WatchOptions,
} from './options.js';
import { Ping, type PingResult } from './ping.js';
import type { JobStatus, UniqueJobStatus } from './question.js';
import { NamedServers } from './servers.js';
import type { Shared } from './shared.js';
import { Inquiry } from './status.js';
import { Submission, submitMethodsOf, type SubmitMethod } from './submission.js';
import { UniqueIds } from './unique.js';
import { watch, type JobProgress } from './watch.js';

/** Cuts a `close` that takes too long. */
class Cut extends Timed {
  override readonly onDue: () => void;

  constructor(cut: () => void) {
    super();
    this.onDue = cut;
  }
}

/**
 * A client of a pool of Gearman job servers. It connects when it is first used, and keeps the process alive only while a call is
 * outstanding.
 *
 * Every call settles within `timeout`, and rejects with a {@link GearmanError}; match its `code`:
 * `GEARMAN_INVALID_ARGUMENT` and `GEARMAN_ARGUMENT_TOO_LARGE` before anything is sent, `GEARMAN_NO_SERVERS`,
 * `GEARMAN_COULD_NOT_CONNECT`, `GEARMAN_LOST_CONNECTION`, `GEARMAN_TIMEOUT`, `GEARMAN_SERVER_ERROR`, `GEARMAN_ABORTED` and, after
 * `close` or `destroy`, `GEARMAN_SHUTDOWN`.
 */
export class GearmanClient {
  readonly #runtime: Runtime;
  readonly #deadlines: Deadlines;
  readonly #shared: Shared;
  /** Aborted when the client is closed. */
  readonly #ending = new AbortController();
  readonly #servers: NamedServers;
  readonly #methods: ReturnType<typeof submitMethodsOf>;
  /** What background jobs ask with. */
  readonly #asker: JobAsker = {
    byHandle: (id, options) => this.jobStatus(id, options),
    byUnique: (unique, server, options) => this.#statusByUnique(unique, options, server),
    watch: (ask, options) => this.#watch(ask, options),
  };
  #end: GearmanError | undefined;

  /**
   * @param options - options, or just the servers
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: an unknown option, a bad value or a bad address
   */
  constructor(options?: GearmanClientOptions | Servers);
  /** @internal */
  constructor(options: GearmanClientOptions | Servers | undefined, runtime: Runtime);
  constructor(options: GearmanClientOptions | Servers = {}, runtime: Runtime = nodeRuntime) {
    const given = asOptions(options);
    const settings = readClientOptions(given);
    this.#runtime = runtime;
    this.#deadlines = new Deadlines(runtime);
    const handles = new Handles();
    const isIssued = (handle: string, server: string): boolean => handles.serversOf(handle).includes(server);
    this.#shared = {
      settings,
      pool: new Pool({ settings, deadlines: this.#deadlines, runtime, isIssued }, settings.router),
      calls: new Calls(this.#deadlines),
      functionNames: new FunctionNames(settings),
      handles,
      uniqueIds: new UniqueIds(runtime),
    };
    // Each watch that pauses listens.
    setMaxListeners(0, this.#ending.signal);
    this.#methods = submitMethodsOf(this.#shared);
    this.#servers = new NamedServers(this.#shared.pool, settings);
    if (given.servers !== undefined) this.#servers.add(given.servers);
  }

  /** The job servers as they are now, in the order in which they were added. Empty before the first call if none was named. */
  get servers(): readonly ServerState[] {
    return this.#shared.pool.snapshot();
  }

  /**
   * Adds a job server; one that is there already stays as it is.
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`
   */
  addServer(host: string = DEFAULT_HOST, port: number | string = DEFAULT_PORT): this {
    // A host that brings its own port keeps it.
    const hasPort = typeof host === 'string' && /^(\[.*\]|[^:]*):\d+$/.test(host.trim()) && arguments.length < 2;
    return this.addServers(hasPort ? host : { host, port });
  }

  /**
   * Adds job servers. The first that are named replace the default.
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`; then none of them was added
   */
  addServers(servers: Servers): this {
    this.#servers.add(servers);
    return this;
  }

  /**
   * Takes a job server out of the pool. What was sent to it is still awaited; calls that wait for it go to another server.
   * @param server - as it was added, or its name; one that is not in the pool is ignored
   */
  removeServer(server: string | ServerAddress): this {
    this.#servers.remove(server);
    return this;
  }

  /**
   * Runs a job in the background.
   *
   * With a unique ID, and while a job with it is queued or running: that job is used, not this one, whatever the workload says, and
   * its handle comes back. Without, or with `''`, a UUIDv1 is made.
   * @param fn - function name: 1 to 511 bytes without NUL
   * @param workload - a string, sent as UTF-8, or bytes, which must not be changed until the call settles, nor after an error with
   * `maybeSubmitted: true`
   * @param unique - unique ID, or options
   * @returns the job handle, exactly as the server sent it, once the server has the job
   * @throws GearmanError with `server`, `function`, `unique` and `maybeSubmitted`; see the class for the codes
   */
  doBackground(fn: string, workload: Workload, unique?: string | SubmitOptions): Promise<string> {
    return this.#submit(this.#methods.doBackground, fn, workload, unique);
  }

  /** {@link GearmanClient.doBackground}, before the normal jobs of the function. */
  doHighBackground(fn: string, workload: Workload, unique?: string | SubmitOptions): Promise<string> {
    return this.#submit(this.#methods.doHighBackground, fn, workload, unique);
  }

  /** {@link GearmanClient.doBackground}, after the normal jobs of the function. */
  doLowBackground(fn: string, workload: Workload, unique?: string | SubmitOptions): Promise<string> {
    return this.#submit(this.#methods.doLowBackground, fn, workload, unique);
  }

  /**
   * {@link GearmanClient.doBackground} that tells more about the job: its `id` is what to store to ask for it later, from any process.
   * @throws GearmanError as `doBackground`
   */
  async submitBackground(fn: string, workload: Workload, options?: PrioritySubmitOptions): Promise<BackgroundJob> {
    if (typeof options === 'string')
      throw invalidArgument('submitBackground takes options: write { unique } for a unique ID.');
    this.#fillIn();
    const submission = new Submission(this.#methods.submitBackground, fn, workload, options);
    const handle = await this.#send(submission);
    const { calledName, unique, isUniqueGenerated, acknowledgedBy: server } = submission;
    return new BackgroundJob({ handle, server, function: calledName, unique, isUniqueGenerated }, this.#asker);
  }

  /**
   * How a job is: `[known, running, numerator, denominator]`. A job that has ended is not known: `[false, false, 0, 0]`.
   *
   * A handle that this client got is asked of the server that issued it. Any other is asked of all, and then the answer is as good as
   * handles are: two servers on hosts of one name issue the same ones.
   * @param handleOrId - a job handle, or the `id` of a background job
   * @throws GearmanError `GEARMAN_COULD_NOT_CONNECT` with `unreachable` when no server knows it and some could not be asked;
   * `GEARMAN_AMBIGUOUS_HANDLE` when several know it; see the class for the other codes
   */
  async jobStatus(handleOrId: string, options: RequestOptions = {}): Promise<JobStatus> {
    return await this.#statusByHandle(handleOrId, options);
  }

  /**
   * {@link GearmanClient.jobStatus} by unique ID, and the number of clients that wait for the job's result. All servers are asked,
   * for gearmand looks at no function here.
   * @throws GearmanError as `jobStatus`
   */
  async jobStatusByUnique(unique: string, options: RequestOptions = {}): Promise<UniqueJobStatus> {
    return await this.#statusByUnique(unique, options);
  }

  /**
   * Follows a job: yields its status whenever it has changed, lastly with `known: false`. It goes on while the server cannot be
   * asked, and rejects when that has lasted `timeout`.
   * @param handleOrId - a job handle, or the `id` of a background job
   * @throws GearmanArgumentError at once; the iteration rejects as `jobStatus`
   */
  watch(handleOrId: string, options: WatchOptions = {}): AsyncIterable<JobProgress> {
    this.#shared.handles.locate(handleOrId);
    return this.#watch((limits) => this.#statusByHandle(handleOrId, limits), options);
  }

  /**
   * Asks every job server for an echo, also those that are left alone after a failure.
   * @returns one result a server, in the order of the pool: how many milliseconds it took, or why there is no answer
   * @throws GearmanError `GEARMAN_INVALID_ARGUMENT`, `GEARMAN_NO_SERVERS`, `GEARMAN_ABORTED`, `GEARMAN_SHUTDOWN`
   */
  async ping(options: RequestOptions = {}): Promise<PingResult[]> {
    const { pool, settings } = this.#shared;
    const { server, ...limits } = readRequestOptions(options, 'ping', settings);
    this.#start();
    const names = server === undefined ? pool.requireNames() : [pool.endpoint(server).name];
    const now = (): number => this.#runtime.now();
    const results = await Promise.all(names.map((name) => new Ping(this.#shared, name, limits, now).ask()));
    if (limits.signal?.aborted) throw aborted(limits.signal.reason, 'asking changes nothing');
    return results;
  }

  /**
   * Finishes what was accepted, then closes the connections. New calls reject with `GEARMAN_SHUTDOWN`; watches end with it. May be called
   * again, then the shortest timeout wins.
   * @param options - `timeout`: when it has run out, calls that are outstanding are cut off as by `destroy`
   * @returns when every call is settled and every socket closed
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const { timeout = Infinity } = readCloseOptions(options);
    const cut = new Cut(() => {
      this.destroy();
    });
    this.#deadlines.start(cut, timeout);
    const end = this.#shutDown('closed');
    await this.#shared.calls.none();
    await this.#shared.pool.close(end);
    this.#deadlines.stop(cut);
  }

  /**
   * Cuts all connections. Calls that are outstanding reject with `GEARMAN_SHUTDOWN`.
   * @param error - becomes the `cause` of their errors
   */
  destroy(error?: Error): void {
    this.#shutDown('destroyed', error);
    const cut = gearmanError('GEARMAN_SHUTDOWN', 'the client was destroyed.', { cause: error });
    void this.#shared.pool.close(cut, cut);
  }

  /** `await using client = new GearmanClient()` closes it at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Every question begins here. */
  #start(): void {
    if (this.#end !== undefined) throw gearmanError(this.#end.code, this.#end.message, { cause: this.#end.cause });
    this.#servers.fillIn();
  }

  /** The servers that a job may name must be there; after the end they need not. */
  #fillIn(): void {
    if (this.#end === undefined) this.#servers.fillIn();
  }

  /** Not an async function: of a million calls at once, each would hold twice the memory. */
  #submit(method: SubmitMethod, fn: string, workload: Workload, given?: string | SubmitOptions): Promise<string> {
    try {
      this.#fillIn();
      return this.#send(new Submission(method, fn, workload, given));
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  #send(submission: Submission): Promise<string> {
    if (this.#end !== undefined) return submission.send(this.#end);
    if (!isSubmitTraced()) return submission.send();
    const { calledName, unique } = submission;
    return traceSubmit({ function: calledName, unique }, async (context) => {
      context.handle = await submission.send();
      context.server = submission.acknowledgedBy;
      return context.handle;
    });
  }

  async #statusByHandle(handleOrId: string, options: RequestOptions): Promise<JobStatus> {
    const checked = readRequestOptions(options, 'jobStatus', this.#shared.settings);
    this.#start();
    const ask = (): Promise<UniqueJobStatus> => Inquiry.byHandle(this.#shared, handleOrId, checked).ask();
    const [known, running, numerator, denominator] = await traceStatus(handleOrId, ask);
    return [known, running, numerator, denominator];
  }

  async #statusByUnique(unique: string, options: RequestOptions, named?: string): Promise<UniqueJobStatus> {
    const given = readRequestOptions(options, 'jobStatusByUnique', this.#shared.settings);
    const checked = named === undefined ? given : { ...given, server: named };
    this.#start();
    return traceStatus(unique, () => Inquiry.byUnique(this.#shared, unique, checked).ask());
  }

  #watch(ask: (options: RequestOptions) => Promise<JobStatus>, options: WatchOptions): AsyncIterable<JobProgress> {
    const checked = readWatchOptions(options);
    const { calls, settings } = this.#shared;
    const { timeout } = settings;
    return watch({ calls, deadlines: this.#deadlines, ending: this.#ending.signal, timeout, ask }, checked);
  }

  #shutDown(how: string, cause?: Error): GearmanError {
    const end = (this.#end ??= gearmanError('GEARMAN_SHUTDOWN', `The client was ${how}. Make a new one.`, { cause }));
    debug.client(how);
    this.#ending.abort();
    return end;
  }
}
