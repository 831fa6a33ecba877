/// <reference types="node" preserve="true" />
/** The embedded job server's public face: accepts connections, and brings sessions, queue and time together. */
import type { Duplex } from 'node:stream';
import { describe, gearmanError, invalidArgument } from '../errors.js';
import { debug } from '../observe.js';
import { nodeRuntime, type Listener, type Runtime, type Timer } from '../runtime.js';
import { answerLine, type CommandDesk } from './commands.js';
import { Handles } from './handles.js';
import {
  readListenOptions,
  readServerOptions,
  type JobServerOptions,
  type JobServerSettings,
  type ListenOptions,
} from './options.js';
import { Queue, type QueueObserver } from './queue.js';
import { carryOut, tellFailed } from './requests.js';
import { Session, type SessionOwner } from './session.js';

export type { JobServerOptions, ListenOptions } from './options.js';

/** The longest time that a timer of Node takes, about 24.8 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
    if (this.#state.name === 'closed') throw gearmanError('GEARMAN_SHUTDOWN', 'The job server was closed.');
    if (this.#state.name !== 'new') throw invalidArgument('The job server listens already.');
    const opened = this.#open({ ...place, tls: this.#settings.tls });
    this.#state = { name: 'opening', opened };
    const listener = await opened;
    // It was closed in the meantime, which takes care of the listener.
    if (this.#isClosed()) throw gearmanError('GEARMAN_SHUTDOWN', 'The job server was closed.');
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

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
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
      this.#state = { name: 'new' };
      const where = `${place.host}:${String(place.port)}`;
      throw invalidArgument(`Cannot listen on ${where}: ${describe(error)}`, { cause: error });
    }
  }

  async #shutDown(state: State): Promise<void> {
    this.#cutAll('the job server was closed');
    if (state.name === 'listening') await state.listener.close();
    if (state.name === 'opening') await state.opened.then((listener) => listener.close()).catch(() => undefined);
  }

  #cutAll(why: string): void {
    for (const session of this.#sessions) session.cut(why);
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  #accept(socket: Duplex, host: string): void {
    if (this.#isClosed()) {
      socket.destroy();
      return;
    }
    const session = new Session(socket, { number: ++this.#lastSession, host }, this.#owner);
    this.#sessions.add(session);
    debug.server('connection %d from %s', session.number, host);
  }

  #newDesk(): CommandDesk {
    const observer: QueueObserver = {
      onState: () => undefined,
      onGivenUp: (job) => {
        tellFailed(this.#desk, job);
      },
    };
    const queue = new Queue(this.#runtime, this.#settings, observer);
    return { queue, handles: this.#handles, sessions: this.#sessions };
  }

  #newOwner(): SessionOwner {
    return {
      maxPacketSize: this.#settings.maxPacketSize,
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
    this.#sessions.delete(session);
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
    const dueMs = this.#runtime.now() + Math.min(inMs, LONGEST_TIMER_MS);
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs + 1) return;
    this.#timer?.timer.cancel();
    const timer = this.#runtime.setTimer(
      () => {
        this.#timer = undefined;
        this.#desk.queue.onDue();
        this.#settle();
      },
      Math.ceil(Math.min(inMs, LONGEST_TIMER_MS)),
    );
    // The sockets keep the process alive while anybody could care.
    timer.hold(false);
    this.#timer = { dueMs, timer };
  }
}
