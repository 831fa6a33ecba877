/** The job servers of a client: chooses one for each request, and holds what no server takes now. */
import { GearmanError, asError, describe, gearmanError, invalidArgument } from '../errors.js';
import { debug } from '../observe.js';
import { normalizeName, placeOf, refuseOtherPlace, type Address } from './address.js';
import { Endpoint, type ServerState } from './endpoint.js';
import type { Request } from './request.js';
import type { Router } from './routing.js';
import { Waiting } from './waiting.js';
import type { World } from './world.js';

/** What any request can rely on: not even in doubt. */
const ANY_REQUEST = { isSticky: false, endsPause: false };

function noServers(): GearmanError {
  return gearmanError('GEARMAN_NO_SERVERS', 'The pool has no job server. Add one with addServer().');
}

function wasRemoved(server: string): GearmanError {
  return gearmanError('GEARMAN_COULD_NOT_CONNECT', `${server} was removed from the pool.`, { server });
}

/** Why a request can go nowhere. What is no error of ours was thrown by the caller's routing function. */
function asRefusal(thrown: unknown): GearmanError {
  if (thrown instanceof GearmanError) return thrown;
  const cause = asError(thrown);
  return invalidArgument(cause.message, { cause });
}

/** See the head of this file. */
export class Pool {
  readonly #world: World;
  readonly #router: Router;
  readonly #endpoints = new Map<string, Endpoint>();
  /** The endpoints in the order in which they were added, which some routings go by. */
  #list: readonly Endpoint[] = [];
  /** Endpoints that were removed and whose sockets are not gone. */
  readonly #retiring = new Set<Endpoint>();
  /** Requests that no server takes now. */
  readonly #parked = new Waiting();
  #sequence = 0;
  /** What {@link whyUnsent} has said in this tick, in which a million calls may ask. */
  readonly #reasons = new Map<string, GearmanError>();
  /** Why no request is taken any more. */
  #end: GearmanError | undefined;

  constructor(world: World, router: Router) {
    this.#world = world;
    this.#router = router;
  }

  /** The names of the job servers, in the order in which they were added. */
  get names(): string[] {
    return this.#list.map(({ name }) => name);
  }

  /** {@link names}, or `GEARMAN_NO_SERVERS` if there are none. */
  requireNames(): string[] {
    if (this.#list.length === 0) throw noServers();
    return this.names;
  }

  /** The job server of exactly that name. */
  find(name: string): Endpoint | undefined {
    return this.#endpoints.get(name);
  }

  /**
   * The job server of that name, which may be written in any way that `addServers` reads.
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: a name never opens a connection to a stranger
   */
  endpoint(name: string): Endpoint {
    const normalized = normalizeName(name);
    const endpoint =
      this.#endpoints.get(name) ??
      this.#endpoints.get(normalized) ??
      this.#list.find(({ address }) => placeOf(address) === normalized);
    if (endpoint !== undefined) return endpoint;
    throw invalidArgument(
      `The job server ${name} is not in the pool (${this.names.join(', ')}). Add it with addServer().`,
      { server: name },
    );
  }

  /** How the job servers are now. */
  snapshot(): ServerState[] {
    return this.#list.map((endpoint) => endpoint.snapshot());
  }

  /** Throws `GEARMAN_INVALID_ARGUMENT` when another place has the server's name already. */
  check(address: Address): void {
    const known = this.#endpoints.get(address.name);
    if (known !== undefined) refuseOtherPlace(known.address, address);
  }

  /** Adds a server; one that is there already stays as it is. */
  add(address: Address): void {
    if (this.#endpoints.has(address.name)) return;
    const endpoint = new Endpoint(address, this.#world, this.#placeParked);
    this.#endpoints.set(address.name, endpoint);
    this.#list = [...this.#endpoints.values()];
    this.#placeParked();
  }

  /** Takes a server out. What waits for it goes elsewhere; what was written to it is awaited. */
  remove(name: string): void {
    const endpoint = this.#endpoints.get(name);
    if (endpoint === undefined) return;
    this.#endpoints.delete(name);
    this.#list = [...this.#endpoints.values()];
    void this.#retire(endpoint);
    this.#sendParked();
  }

  /** Sends a request to its server, or lets it wait until there is one. */
  send(request: Request): void {
    if (request.settled) return;
    request.sequence ||= ++this.#sequence;
    const endpoint = this.#route(request);
    if (endpoint === undefined) return;
    if (endpoint.isOnTrial && !request.endsPause && !this.#parked.isEmpty) {
      // Its one place has become free again, and others wait for it.
      this.#parked.push(request);
      this.#placeParked();
    } else {
      endpoint.send(request);
    }
  }

  /** Why a request was not written before its deadline: nothing could be reached, or what was reached had no room. */
  whyUnsent({ server }: Request, waitedMs: number): GearmanError {
    const key = `${server ?? ''} ${String(waitedMs)}`;
    const known = this.#reasons.get(key);
    if (known !== undefined) return known;
    if (this.#reasons.size === 0) queueMicrotask(() => this.#reasons.clear());
    const reason = this.#reasonOf(
      this.#list.filter(({ name }) => server === undefined || server === name),
      `within ${String(waitedMs)} ms`,
    );
    this.#reasons.set(key, reason);
    return reason;
  }

  /** Ends all connections: when what was written is answered, or now if there is an error. Resolves when the sockets are gone. */
  async close(end: GearmanError, error?: GearmanError): Promise<void> {
    this.#end = end;
    const gone = [...this.#list, ...this.#retiring].map((endpoint) => this.#retire(endpoint, error));
    this.#sendParked();
    await Promise.all(gone);
  }

  #reasonOf(possible: readonly Endpoint[], within: string): GearmanError {
    const names = possible.map(({ name }) => name).join(', ');
    const causes = possible.map(
      ({ name, lastError }) =>
        lastError ?? gearmanError('GEARMAN_TIMEOUT', `${name} was not ready ${within}.`, { server: name }),
    );
    const cause = new AggregateError(causes, names);
    if (possible.some((endpoint) => endpoint.isReached)) {
      return gearmanError('GEARMAN_TIMEOUT', `no job server had room ${within} (${names}).`, { cause });
    }
    const why = causes.map(describe).join(' ');
    return gearmanError('GEARMAN_COULD_NOT_CONNECT', `no job server could be reached ${within}. ${why}`, { cause });
  }

  async #retire(endpoint: Endpoint, error?: GearmanError): Promise<void> {
    // First, for whoever hears that the server is closed may close the client.
    this.#retiring.add(endpoint);
    await endpoint.retire(error);
    this.#retiring.delete(endpoint);
  }

  /** Nothing is taken after the end, nor by an empty pool. A routing function may bring about both. */
  #refuseIfOver(): void {
    if (this.#end !== undefined) throw this.#end;
    if (this.#list.length === 0) throw noServers();
  }

  /** The server that takes the request now. Without one the request is parked, or refused. */
  #route(request: Request): Endpoint | undefined {
    try {
      const endpoint = this.#choose(request);
      if (endpoint === undefined) this.#parked.push(request);
      return endpoint;
    } catch (error) {
      // A routing function may abort the call, too.
      if (!request.settled) request.onRefused(asRefusal(error));
      return undefined;
    }
  }

  /** The first in rank of those that take it; none if none does. */
  #choose(request: Request): Endpoint | undefined {
    this.#refuseIfOver();
    const { server, job } = request;
    if (server !== undefined) {
      const pinned = this.#endpoints.get(server);
      if (pinned === undefined) throw wasRemoved(server);
      return pinned.accepts(request) ? pinned : undefined;
    }
    const [only] = this.#list;
    if (only === undefined) return undefined;
    if (this.#list.length === 1 || job === undefined) return only.accepts(request) ? only : undefined;
    const ranking = this.#router(job, this.#list);
    this.#refuseIfOver();
    let best: Endpoint | undefined;
    let bestScore = -Infinity;
    for (const [position, endpoint] of this.#list.entries()) {
      const score = ranking(endpoint, position);
      const isHigher = score > bestScore || (score === bestScore && endpoint.name < (best?.name ?? ''));
      if (isHigher && endpoint.accepts(request)) {
        best = endpoint;
        bestScore = score;
      }
    }
    return best;
  }

  /** Whether there is a server for a request that can go anywhere. */
  #isOpen(): boolean {
    return this.#list.some((endpoint) => endpoint.accepts(ANY_REQUEST));
  }

  /** A server takes requests that it did not take before: just one, if it is on trial. The others are not even routed then. */
  readonly #placeParked = (): void => {
    if (this.#parked.isEmpty || !this.#isOpen()) return;
    debug.pool('requests that wait look for a server');
    const list = this.#list;
    for (const request of this.#parked.take()) {
      // A routing function may end the client, or remove the server that the request waits for.
      const isAsBefore = this.#end === undefined && this.#list === list;
      if (isAsBefore && !this.#isOpen()) this.#parked.push(request);
      else if (!request.settled) this.#route(request)?.send(request);
    }
  };

  /** Requests that could go nowhere learn what has changed. */
  #sendParked(): void {
    for (const request of this.#parked.take()) this.send(request);
  }
}
