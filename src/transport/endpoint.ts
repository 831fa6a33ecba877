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
 *
 * After a failure and until the next proof the server is on trial: it gets one request, the others go to the next in rank.
 */
import { GearmanConnectionError } from '../errors.js';
import { debug, publishState } from '../observe.js';
import type { Address } from './address.js';
import { pauseAfter } from './backoff.js';
import { Connection, type ConnectionOwner, type Ending } from './connection.js';
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
export type ServerStateName = State['name'];

/** A job server as the client sees it now. */
export interface ServerState {
  /** The server's name, `host:port` by default. */
  readonly name: string;
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
  #state: State = { name: 'idle' };
  #sinceMs: number;
  #lastError: GearmanConnectionError | undefined;
  /** Failures since the last proof; above 0 the server is on trial. */
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

  get lastError(): GearmanConnectionError | undefined {
    return this.#lastError;
  }

  /** Whether it is connected, as far as is known. */
  get isReached(): boolean {
    return 'connection' in this.#state && this.#state.name !== 'connecting';
  }

  /** Whether it has failed and has not been proven since, or is in doubt. */
  get isInDoubt(): boolean {
    return this.#failures > 0 || this.#state.name === 'suspect';
  }

  /** See {@link ServerState}. */
  snapshot(): ServerState {
    return {
      name: this.name,
      state: this.#state.name,
      since: new Date(this.#sinceMs),
      inFlight: this.#inFlight,
      waiting: this.#waiting.size,
      lastError: this.#lastError,
    };
  }

  /** Whether it takes a request, to write it or to let it wait. */
  accepts(request: Pick<Request, 'isSticky'>): boolean {
    switch (this.#state.name) {
      case 'up':
        return true;
      case 'suspect':
        return request.isSticky;
      case 'paused':
      case 'closed':
        return false;
      default:
        return this.#failures === 0 || (this.#waiting.isEmpty && this.#inFlight === 0);
    }
  }

  /** Takes a request that it {@link accepts}: written at the end of this tick, or when there is room. */
  send(request: Request): void {
    this.#waiting.push(request);
    if (this.#state.name === 'idle') this.#connect();
    else this.#pumpSoon();
  }

  /** Ends a pause now, for a request that wants to know how the server is. */
  endPause(): void {
    if (this.#state.name !== 'paused') return;
    this.#world.deadlines.stop(this);
    this.onDue();
  }

  /** Takes no more requests. What waits goes elsewhere; what was written is awaited, unless there is an error to end it with. */
  async retire(end?: GearmanConnectionError): Promise<void> {
    const { name: server } = this;
    const error = end && new GearmanConnectionError(end.code, end.message, { server, cause: end.cause });
    this.#world.deadlines.stop(this);
    if (this.#state.name !== 'closed') this.#setState({ name: 'closed' });
    const gone = Array.from(this.#connections, (connection) => connection.gone);
    for (const connection of this.#connections) {
      if (error === undefined) connection.end();
      else connection.destroy(error);
    }
    const loss = error ?? this.#error('GEARMAN_COULD_NOT_CONNECT', `${server} was removed from the pool.`);
    this.#turnAway(this.#waiting.take(), { error: loss, isProtocolError: false });
    await Promise.all(gone);
  }

  onUp(connection: Connection): void {
    if (!this.#isActive(connection)) return;
    this.#setState({ name: 'proving', connection });
    this.#pump();
    // The trial request may have settled meanwhile, and nobody else was let in.
    if (connection.pending === 0) this.#onAvailable();
  }

  onProgress(connection: Connection): void {
    if (connection.isProven && !connection.isAsked && this.#isProof(connection)) {
      this.#failures = 0;
      this.#lastError = undefined;
      this.#world.deadlines.stop(this);
      this.#setState({ name: 'up', connection });
      this.#onAvailable();
    }
    if (this.#isActive(connection)) this.#pump();
    // One that was given up may still be proven by an answer of which only a part has come.
    else if (connection.isProven || this.#state.name === 'closed') connection.end();
  }

  onSuspect(connection: Connection): void {
    if (!this.#isActive(connection)) return;
    this.#setState({ name: 'suspect', connection });
    const error = this.#error(
      'GEARMAN_TIMEOUT',
      `${this.name} is in doubt: a call timed out and nothing has come since.`,
    );
    this.#turnAway(
      this.#waiting.take((request) => !request.isSticky),
      { error, isProtocolError: false },
    );
    connection.tellDoubt();
  }

  onDown(connection: Connection, loss: Loss, ending: Ending, unanswered: readonly Request[]): void {
    void connection.gone.then(() => this.#connections.delete(connection));
    const isActive = this.#isActive(connection);
    const moved = isActive ? this.#leave(connection, loss, ending) : [];
    for (const request of unanswered) {
      request.carrier = undefined;
      request.onLost(loss);
    }
    this.#turnAway(moved, loss);
    if (this.#state.name === 'idle' && !this.#waiting.isEmpty) this.#connect();
    if (isActive) this.#onAvailable();
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

  get #inFlight(): number {
    return 'connection' in this.#state ? this.#state.connection.pending : 0;
  }

  #isActive(connection: Connection): boolean {
    return 'connection' in this.#state && this.#state.connection === connection;
  }

  /** Whether the first answer on this connection shows that the server works: it may come after the pause has begun. */
  #isProof(connection: Connection): boolean {
    if (this.#isActive(connection)) return this.#state.name !== 'up';
    return this.#state.name === 'paused' || this.#state.name === 'idle';
  }

  #connect(): void {
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
      if (state.name === 'proving') this.#world.deadlines.start(this, connectTimeout);
    }
    connection.flush();
  }

  /** The server took a request and does not answer, as a stopped one does. The request keeps its deadline, the others move on. */
  #giveUpProof(connection: Connection): void {
    const within = `${String(this.#world.settings.connectTimeout)} ms (the option connectTimeout)`;
    const error = this.#error(
      'GEARMAN_TIMEOUT',
      `${this.name} accepted a connection and did not answer within ${within}.`,
    );
    this.#pause(error);
    if (!connection.isAwaited) connection.destroy(error, 'silent');
    this.#turnAway(this.#waiting.take(), { error, isProtocolError: false });
    connection.tellDoubt();
  }

  /** Changes the state for the death of the active connection; returns the requests that cannot wait here. */
  #leave(connection: Connection, loss: Loss, ending: Ending): Request[] {
    this.#world.deadlines.stop(this);
    if (connection.isProven && ending === 'closed') {
      this.#lastError = loss.error;
      this.#setState({ name: 'idle' }, loss.error);
      return [];
    }
    this.#pause(loss.error);
    return this.#waiting.take();
  }

  #pause(error: GearmanConnectionError): void {
    const { settings, deadlines, runtime } = this.#world;
    this.#failures++;
    this.#lastError = error;
    this.#setState({ name: 'paused' }, error);
    deadlines.start(this, pauseAfter(this.#failures, settings.backoff, runtime.random()));
  }

  #turnAway(requests: readonly Request[], loss: Loss): void {
    for (const request of requests) if (!request.settled) request.onUnsent(loss);
  }

  #error(code: 'GEARMAN_TIMEOUT' | 'GEARMAN_COULD_NOT_CONNECT', message: string): GearmanConnectionError {
    return new GearmanConnectionError(code, message, { server: this.name });
  }

  #setState(state: State, error?: Error): void {
    this.#state = state;
    this.#sinceMs = this.#world.runtime.wallClock();
    debug.connection('%s is %s%s', this.name, state.name, error === undefined ? '' : `: ${error.message}`);
    publishState({ server: this.name, state: state.name, error });
  }
}
