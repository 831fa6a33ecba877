/**
 * One job server over time: its connection, what waits for it, and the pause after a failure.
 *
 * ```
 *          request            socket up           first answer            call timed out
 *   idle ----------> connecting -------> proving ------------> up <------------------> suspect
 *    ^                   |                  |                   |       anything came      |
 *    |                   | failed           | no answer, lost   | closed: idle again       | no sign of life
 *    |   pause over      v                  v                   v (proven, so no pause)    v
 *    +--------------- paused <---------------------------------- silent, protocol error ---+
 * ```
 * An answer that comes late on a connection that was given up makes it `up` again; `closed`, for a server that was removed, is the end.
 *
 * After a failure and until the next proof the server is on trial: it gets one request, the others go to the next in rank.
 */
import { gearmanError, type GearmanError } from '../errors.js';
import { debug, publishState } from '../observe.js';
import type { Address } from './address.js';
import { pauseAfter } from './backoff.js';
import { Connection, type ConnectionOwner } from './connection.js';
import { Timed } from './deadlines.js';
import type { Loss, Request } from './request.js';
import { hashName, type RoutedServer } from './routing.js';
import { Waiting } from './waiting.js';
import type { World } from './world.js';

/**
 * How a job server stands with this client. `idle`: no connection, none needed or not tried yet; `connecting`; `proving`: connected,
 * the first answer is awaited; `up`; `suspect`: a call timed out and nothing has come since; `paused`: it failed and is left alone
 * for a while; `closed`: removed from the pool.
 */
export type ServerStateName = 'idle' | 'connecting' | 'proving' | 'up' | 'suspect' | 'paused' | 'closed';

/** A job server as the client sees it now. */
export interface ServerState {
  /** The server's name, `host:port` by default. */
  readonly name: string;
  /** See {@link ServerStateName}. */
  readonly state: ServerStateName;
  /** When it came to be in that state. */
  readonly since: Date;
  /** Requests that were written and not answered. */
  readonly inFlight: number;
  /** Requests that wait in the client for this server. */
  readonly waiting: number;
  /** Why the server failed last; none since it has worked again. */
  readonly lastError: Error | undefined;
}

type State =
  | { readonly name: 'idle' | 'paused' | 'closed' }
  | { readonly name: 'connecting' | 'proving' | 'up' | 'suspect'; readonly connection: Connection };

/** See the head of this file. */
export class Endpoint extends Timed implements ConnectionOwner, RoutedServer {
  readonly address: Address;
  readonly nameHash: number;
  readonly #world: World;
  readonly #onAvailable: () => void;
  readonly #waiting = new Waiting();
  /** Every connection whose socket is not gone: the active one, and those that only wait for answers. */
  readonly #connections = new Set<Connection>();
  /** Who waits until all of them are gone. */
  readonly #whenGone: (() => void)[] = [];
  #state: State = { name: 'idle' };
  #sinceMs: number;
  #lastError: GearmanError | undefined;
  /** Failures since the last proof. */
  #failures = 0;
  #isPumping = false;

  /** @param onAvailable - the server takes requests that it did not take before */
  constructor(address: Address, world: World, onAvailable: () => void) {
    super();
    this.address = address;
    this.nameHash = hashName(address.name);
    this.#world = world;
    this.#onAvailable = onAvailable;
    this.#sinceMs = world.runtime.wallClock();
  }

  get name(): string {
    return this.address.name;
  }

  get lastError(): GearmanError | undefined {
    return this.#lastError;
  }

  /** Whether it is connected, as far as is known. */
  get isReached(): boolean {
    return 'connection' in this.#state && this.#state.name !== 'connecting';
  }

  /** After a failure and until the next proof: it takes one request at a time. */
  get isOnTrial(): boolean {
    return this.#failures > 0;
  }

  /** Whether it has failed and has not been proven since, or is in doubt. */
  get isInDoubt(): boolean {
    return this.isOnTrial || this.#state.name === 'suspect';
  }

  /** See {@link ServerState}. */
  snapshot(): ServerState {
    return {
      name: this.name,
      state: this.#state.name,
      since: new Date(this.#sinceMs),
      inFlight: Array.from(this.#connections, ({ pending }) => pending).reduce((sum, pending) => sum + pending, 0),
      waiting: this.#waiting.size,
      lastError: this.#lastError,
    };
  }

  /** Whether it takes a request, to write it or to let it wait. */
  accepts({ isSticky, endsPause }: Pick<Request, 'isSticky' | 'endsPause'>): boolean {
    if (endsPause) return this.#state.name !== 'closed';
    switch (this.#state.name) {
      case 'up':
        return true;
      case 'suspect':
        return isSticky;
      case 'paused':
      case 'closed':
        return false;
      default:
        return !this.isOnTrial || (this.#waiting.isEmpty && this.#activePending === 0);
    }
  }

  /** Takes a request that it {@link accepts}: written at the end of this tick, or when there is room. */
  send(request: Request): void {
    this.#waiting.push(request);
    if (this.#state.name === 'idle' || this.#state.name === 'paused') this.#connect();
    else this.#pumpSoon();
  }

  /**
   * Takes no more requests. What waits goes elsewhere; what was written is awaited, unless there is an error to end it with.
   * Resolves when its sockets are gone.
   */
  async retire(end?: GearmanError): Promise<void> {
    this.#world.deadlines.stop(this);
    if (this.#state.name !== 'closed') this.#setState({ name: 'closed' });
    const error = end && gearmanError(end.code, end.message, { server: this.name, cause: end.cause });
    for (const connection of this.#connections) {
      if (error === undefined) this.#endIfUnawaited(connection);
      else connection.destroy(error);
    }
    this.#turnAway(
      this.#waiting.take(),
      error ?? this.#error('GEARMAN_COULD_NOT_CONNECT', 'was removed from the pool.'),
    );
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenGone.push(resolve);
    });
  }

  onUp(connection: Connection): void {
    if (!this.#isActive(connection)) return;
    this.#setState({ name: 'proving', connection });
    this.#pump();
    // The trial request may have settled meanwhile, and nobody else was let in.
    if (connection.pending === 0) this.#onAvailable();
  }

  onHeard(connection: Connection): void {
    if (connection.isProven && this.#isProof(connection)) this.#onProof(connection);
    if (this.#isActive(connection)) this.#pump();
    else this.#endIfUnawaited(connection);
  }

  /** A server that takes what is sent is no stopped one, and cannot answer before it has the rest. */
  onSent(connection: Connection): void {
    if (!this.#isActive(connection) || this.#state.name !== 'proving') return;
    this.#world.deadlines.start(this, this.#world.settings.connectTimeout);
  }

  onRoom(connection: Connection): void {
    if (this.#isActive(connection)) this.#pump();
  }

  /** A proven server that lets a call time out is in doubt. For one that is not proven there is a deadline already. */
  onAbandoned(connection: Connection, isLate: boolean): void {
    if (!this.#isActive(connection)) this.#endIfUnawaited(connection);
    else if (isLate && connection.isProven) this.#suspect(connection);
  }

  onDown(connection: Connection, loss: Loss, unanswered: readonly Request[]): void {
    const isActive = this.#isActive(connection);
    const moved = isActive ? this.#leave(connection, loss) : [];
    for (const request of unanswered) {
      request.carrier = undefined;
      request.onLost(loss);
    }
    this.#turnAway(moved, loss.error);
    if (this.#state.name === 'idle' && !this.#waiting.isEmpty) this.#connect();
    if (isActive) this.#onAvailable();
  }

  onGone(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    for (const resolve of this.#whenGone.splice(0)) resolve();
  }

  /** The pause is over, or a proof has not come in time. */
  override onDue(): void {
    if (this.#state.name === 'paused') {
      this.#setState({ name: 'idle' });
      this.#onAvailable();
    } else if (this.#state.name === 'proving') {
      this.#giveUpProof(this.#state.connection);
    }
  }

  get #activePending(): number {
    return 'connection' in this.#state ? this.#state.connection.pending : 0;
  }

  #isActive(connection: Connection): boolean {
    return 'connection' in this.#state && this.#state.connection === connection;
  }

  /** Whether an answer on this connection shows that the server works, as was not known: it may come after the pause has begun. */
  #isProof(connection: Connection): boolean {
    if (this.#isActive(connection)) return this.#state.name !== 'up';
    return this.#state.name === 'paused' || this.#state.name === 'idle';
  }

  #connect(): void {
    this.#world.deadlines.stop(this);
    const connection = new Connection(this.address, this.#world, this);
    this.#connections.add(connection);
    this.#setState({ name: 'connecting', connection });
  }

  /** Requests of one tick are written together. */
  #pumpSoon(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    queueMicrotask(() => {
      this.#isPumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    const state = this.#state;
    if (state.name !== 'up' && state.name !== 'proving') return;
    const { connection } = state;
    const { maxInFlight, connectTimeout } = this.#world.settings;
    const room = state.name === 'up' ? maxInFlight : 1;
    while (connection.pending < room && connection.isWritable) {
      const request = this.#waiting.shift();
      if (request === undefined) break;
      connection.send(request);
      if (state.name === 'proving' && connection.pending > 0) this.#world.deadlines.start(this, connectTimeout);
    }
    connection.flush();
  }

  #onProof(connection: Connection): void {
    this.#failures = 0;
    this.#lastError = undefined;
    this.#world.deadlines.stop(this);
    this.#setState({ name: 'up', connection });
    this.#onAvailable();
  }

  #suspect(connection: Connection): void {
    connection.askForLife();
    if (this.#state.name === 'suspect') return;
    this.#setState({ name: 'suspect', connection });
    const moved = this.#waiting.take((request) => !request.isSticky);
    this.#turnAway(moved, this.#error('GEARMAN_TIMEOUT', 'is in doubt: a call timed out and nothing has come since.'));
    connection.tellDoubt();
  }

  /** The server took a request and does not answer, as a stopped one does. The request keeps its deadline, the others move on. */
  #giveUpProof(connection: Connection): void {
    const within = `${String(this.#world.settings.connectTimeout)} ms (the option connectTimeout)`;
    const error = this.#error('GEARMAN_TIMEOUT', `accepted a connection and did not answer within ${within}.`);
    this.#pause(error);
    this.#endIfUnawaited(connection);
    this.#turnAway(this.#waiting.take(), error);
    connection.tellDoubt();
  }

  /** Closes a connection that is active no more as soon as nobody waits for an answer on it. */
  #endIfUnawaited(connection: Connection): void {
    if (!connection.isAwaited)
      connection.destroy(this.#error('GEARMAN_LOST_CONNECTION', 'is not waited for any more.'));
  }

  /** Changes the state for the death of the active connection; returns the requests that cannot wait here. */
  #leave(connection: Connection, { error, ending }: Loss): Request[] {
    this.#world.deadlines.stop(this);
    if (connection.isProven && ending === 'closed') {
      this.#lastError = error;
      this.#setState({ name: 'idle' }, error);
      return [];
    }
    this.#pause(error);
    return this.#waiting.take();
  }

  #pause(error: GearmanError): void {
    const { settings, deadlines, runtime } = this.#world;
    this.#failures++;
    this.#lastError = error;
    this.#setState({ name: 'paused' }, error);
    deadlines.start(this, pauseAfter(this.#failures, settings.backoff, runtime.random()));
  }

  #turnAway(requests: readonly Request[], error: GearmanError): void {
    for (const request of requests) if (!request.settled) request.onUnsent(error);
  }

  #error(code: GearmanError['code'], what: string): GearmanError {
    return gearmanError(code, `${this.name} ${what}`, { server: this.name });
  }

  #setState(state: State, error?: Error): void {
    this.#state = state;
    this.#sinceMs = this.#world.runtime.wallClock();
    debug.connection('%s is %s%s', this.name, state.name, error === undefined ? '' : `: ${error.message}`);
    publishState({ server: this.name, state: state.name, error });
  }
}
