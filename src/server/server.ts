/// <reference types="node" preserve="true" />
/** The embedded job server's public face: accepts connections, and brings sessions, queue and time together. */
import type { Duplex } from 'node:stream';
import { describe, gearmanError, invalidArgument, type GearmanError } from '../errors.js';
import { debug } from '../observe.js';
import { LONGEST_TIMER_MS, nodeRuntime, type Listener, type Runtime, type Timer } from '../runtime.js';
import { answerLine, type CommandDesk } from './commands.js';
import { Faults, type Fault } from './faults.js';
import { Handles } from './handles.js';
import {
  readListenOptions,
  readServerOptions,
  type JobServerOptions,
  type JobServerSettings,
  type ListenOptions,
} from './options.js';
import { Queue, type JobState, type QueueObserver } from './queue.js';
import { carryOut, tellFailed } from './requests.js';
import { Session, type SessionOwner } from './session.js';
import { snapshotOf, stateOf, type JobSnapshot } from './snapshot.js';
import { Waits, type JobTarget, type WaitOptions } from './waits.js';

export type { AnswerFault, Fault, FaultScope, RefuseFault, RequestFault } from './faults.js';
export type { JobServerOptions, ListenOptions } from './options.js';
export type { JobState } from './queue.js';
export type { JobSnapshot } from './snapshot.js';
export type { JobTarget, WaitOptions } from './waits.js';

type State =
  | { readonly name: 'new' }
  | { readonly name: 'opening'; readonly opened: Promise<Listener> }
  | { readonly name: 'listening'; readonly listener: Listener }
  | { readonly name: 'closed'; readonly closed: Promise<void> };

/**
 * A Gearman job server in this process, for tests, demos and development. It keeps its queue in memory alone.
 *
 * It behaves as gearmand 2.0 does. In production, run that.
 */
export class JobServer {
  readonly #settings: JobServerSettings;
  readonly #runtime: Runtime;
  readonly #handles: Handles;
  readonly #sessions = new Set<Session>();
  readonly #owner: SessionOwner;
  /** Those that have something to write. */
  #answering: Session[] = [];
  readonly #faults = new Faults();
  readonly #waits: Waits;
  #desk: CommandDesk;
  #state: State = { name: 'new' };
  #lastSession = 0;
  #timer: { readonly dueMs: number; readonly timer: Timer } | undefined;

  /**
   * @param options - see {@link JobServerOptions}
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: an unknown option or a bad value
   */
  constructor(options?: JobServerOptions);
  /** @internal */
  constructor(options: JobServerOptions | undefined, runtime: Runtime);
  constructor(options: JobServerOptions = {}, runtime: Runtime = nodeRuntime) {
    this.#settings = readServerOptions(options);
    this.#runtime = runtime;
    this.#handles = new Handles(this.#settings.name);
    this.#waits = new Waits(runtime, this.#handles, () => this.#desk.queue);
    this.#desk = this.#newDesk();
    this.#owner = this.#newOwner();
  }

  /**
   * Where it listens, as `net.connect` and `GearmanClient` take it.
   * @throws GearmanError `GEARMAN_SHUTDOWN`: it does not listen, not yet or not any more
   */
  get address(): { host: string; port: number } {
    if (this.#state.name !== 'listening') {
      throw gearmanError('GEARMAN_SHUTDOWN', 'The job server does not listen. Await listen() first.');
    }
    const { host, port } = this.#state.listener;
    return { host, port };
  }

  /**
   * Accepts connections from now on, and keeps the process alive until it is closed.
   * @returns this job server, when it listens
   * @throws GearmanError `GEARMAN_INVALID_ARGUMENT`: a bad value, a port that cannot be had, or it listens already;
   *   `GEARMAN_SHUTDOWN`: it was closed
   */
  async listen(options: ListenOptions = {}): Promise<this> {
    const place = readListenOptions(options);
    if (this.#state.name === 'closed') throw closed();
    if (this.#state.name !== 'new') throw invalidArgument('The job server listens already.');
    const opened = this.#open({ ...place, tls: this.#settings.tls });
    this.#state = { name: 'opening', opened };
    const listener = await opened;
    // It was closed in the meantime, which takes care of the listener.
    if (this.#isClosed()) throw closed();
    this.#state = { name: 'listening', listener };
    debug.server('listens on %s:%d', listener.host, listener.port);
    return this;
  }

  /**
   * Cuts all connections and stops listening. The queue is lost.
   * @returns when nothing is left that would keep the process alive; calling it again is no error
   */
  close(): Promise<void> {
    if (this.#state.name !== 'closed') this.#state = { name: 'closed', closed: this.#shutDown(this.#state) };
    return this.#state.closed;
  }

  /** {@link JobServer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The jobs that are queued or running, in the order in which they were submitted. Copies, workloads included. */
  get jobs(): readonly JobSnapshot[] {
    const jobs = [...this.#desk.queue.jobs].filter((job) => stateOf(job) !== 'done');
    return jobs.map((job) => snapshotOf(job, this.#handles.of(job.number), stateOf(job)));
  }

  /**
   * Waits until a job is in a state, or finds that one which is gone has been. That it leaves the state at once does not matter. Of the
   * jobs that are gone, at least the last 500 are remembered, without their workloads where these have over 16 KiB.
   * @param target - a job handle, or `{ function }` for any job of a function: name the handle where there may be several
   * @returns the job as it is when that is so
   * @throws GearmanError `GEARMAN_TIMEOUT`, with what was seen; `GEARMAN_ABORTED`; `GEARMAN_SHUTDOWN`: the job server was closed;
   *   `GEARMAN_INVALID_ARGUMENT`
   */
  async waitFor(target: JobTarget, state: JobState, options: WaitOptions = {}): Promise<JobSnapshot> {
    if (this.#isClosed()) throw closed();
    return await this.#waits.until(target, state, options);
  }

  /**
   * Misbehaves from now on, for tests of what a client or worker makes of it. Of several faults that fit, the oldest happens.
   * @returns what ends it; connections that it froze go on
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: no such fault, or one that cannot happen to such a packet
   */
  misbehave(fault: Fault): () => void {
    const added = this.#faults.add(fault);
    return () => {
      added.remove();
      for (const session of this.#sessions) session.thaw(added.fault);
    };
  }

  /**
   * What a crash and a new start look like from outside: all connections are cut, the queue is lost, and handles begin at 1 again. It
   * goes on listening meanwhile. Faults and waits stay.
   * @returns when the old connections are gone
   * @throws GearmanError `GEARMAN_SHUTDOWN`: it does not listen
   */
  async restart(): Promise<void> {
    debug.server('restarts on port %d', this.address.port);
    this.#desk = this.#newDesk();
    this.#waits.forget();
    await Promise.all(this.#dismiss().map((session) => session.destroy('the job server restarts')));
  }

  #isClosed(): boolean {
    return this.#state.name === 'closed';
  }

  async #open(place: Parameters<Runtime['listen']>[0]): Promise<Listener> {
    try {
      return await this.#runtime.listen(place, (socket, host) => {
        this.#accept(socket, host);
      });
    } catch (error) {
      if (!this.#isClosed()) this.#state = { name: 'new' };
      const where = `${place.host}:${String(place.port)}`;
      throw invalidArgument(`Cannot listen on ${where}: ${describe(error)}`, { cause: error });
    }
  }

  async #shutDown(state: State): Promise<void> {
    // First the server is closed, so that nothing that ends now begins anything.
    await Promise.resolve();
    this.#waits.end(closed());
    for (const session of this.#dismiss()) session.cut('the job server is closed');
    if (state.name === 'listening') await state.listener.close();
    if (state.name === 'opening') await state.opened.then((listener) => listener.close()).catch(() => undefined);
  }

  /** Nothing that becomes of these sessions matters any more, nor does what was due. */
  #dismiss(): Session[] {
    this.#timer?.timer.cancel();
    this.#timer = undefined;
    const sessions = [...this.#sessions];
    this.#sessions.clear();
    return sessions;
  }

  #accept(socket: Duplex, host: string): void {
    const fault = this.#faults.onConnection();
    if (this.#isClosed() || fault?.kind === 'refuse') {
      socket.destroy();
      return;
    }
    const session = new Session(socket, { number: ++this.#lastSession, host }, this.#owner);
    this.#sessions.add(session);
    debug.server('connection %d from %s', session.number, host);
    if (fault !== undefined) session.freeze(fault);
  }

  #newDesk(): CommandDesk {
    const observer: QueueObserver = {
      onState: (job, state, hasRun) => {
        this.#waits.onState(job, state, hasRun);
      },
      onGivenUp: (job, listeners) => {
        tellFailed(this.#desk, job, listeners);
      },
    };
    const queue = new Queue(this.#runtime, this.#settings, observer);
    return { queue, handles: this.#handles, sessions: this.#sessions };
  }

  #newOwner(): SessionOwner {
    return {
      maxPacketSize: this.#settings.maxPacketSize,
      faults: this.#faults,
      setTimer: (callback, ms) => this.#runtime.setTimer(callback, ms),
      onPacket: (session, packet) => {
        carryOut(this.#desk, session, packet);
      },
      onLine: (session, words) => {
        session.sendText(answerLine(this.#desk, words));
      },
      onAnswer: (session) => {
        this.#answering.push(session);
      },
      onRead: () => {
        this.#settle();
      },
      onLeft: (session) => {
        this.#onLeft(session);
      },
    };
  }

  #onLeft(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    this.#desk.queue.leave(session);
    if (session.worker === undefined) return;
    session.worker.cantDo();
    this.#desk.queue.takeAway(session.worker);
  }

  /** What was done for one peer is written to all whom it concerns, and the time of what comes next is set. */
  #settle(): void {
    const answering = this.#answering;
    if (answering.length > 0) {
      this.#answering = [];
      for (const session of answering) session.flush();
    }
    this.#setTimer();
  }

  /** One timer for whatever is due next. One that rings too early finds nothing and sets it anew. */
  #setTimer(): void {
    const inMs = this.#desk.queue.dueInMs;
    if (inMs === undefined || this.#isClosed()) return;
    const waitMs = Math.min(inMs, LONGEST_TIMER_MS);
    const dueMs = this.#runtime.now() + waitMs;
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs + 1) return;
    this.#timer?.timer.cancel();
    const timer = this.#runtime.setTimer(() => {
      this.#timer = undefined;
      this.#desk.queue.onDue();
      this.#settle();
    }, Math.ceil(waitMs));
    // The sockets keep the process alive while anybody could care.
    timer.hold(false);
    this.#timer = { dueMs, timer };
  }
}

function closed(): GearmanError {
  return gearmanError('GEARMAN_SHUTDOWN', 'The job server is closed.');
}
