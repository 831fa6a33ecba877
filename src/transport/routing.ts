/** Which server a job goes to, and which one next while that is down. Pure. */
import { invalidArgument } from '../errors.js';
import type { Argument } from '../protocol/encode.js';

/** What routing looks at. */
export interface RoutedJob {
  /** Function name as on the wire, prefix included. */
  readonly function: string;
  /** Unique ID, given or generated. */
  readonly unique: string;
  readonly workload: Argument;
  /** {@link hashJob}, once it was needed: for `'-'` it takes a look at each byte of the workload. */
  hash?: number | undefined;
}

/**
 * A custom routing: the names of servers in order of preference. Those left out are used last, in the order of the list. The job's
 * function is as on the wire, prefix included.
 */
export type RouteFunction = (
  job: { readonly function: string; readonly unique: string },
  servers: readonly string[],
) => readonly string[];

/** How jobs find their server; see the option `routing`. */
export type Routing = 'by-unique' | 'in-order' | 'round-robin' | RouteFunction;

/** A server as routing sees it. */
export interface RoutedServer {
  readonly name: string;
  /** {@link hashName} of the name. */
  readonly nameHash: number;
}

/** Gives each server a score for one job; the job goes to the highest one that is up. */
type Ranking = (server: RoutedServer, position: number) => number;

/** Makes the ranking of one job. */
export type Router = (job: RoutedJob, servers: readonly RoutedServer[]) => Ranking;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** FNV-1a over bytes or the UTF-8 of a string, going on from `hash`. */
function fnv1a(value: Argument, hash = FNV_OFFSET): number {
  const { length } = value;
  let result = hash;
  // An iterator takes ten times as long.
  for (let index = 0; index < length; index++) {
    const code = typeof value === 'string' ? value.charCodeAt(index) : (value[index] ?? 0);
    if (typeof value === 'string' && code > 127) return fnv1a(Buffer.from(value), hash);
    result = Math.imul(result ^ code, FNV_PRIME);
  }
  return result;
}

/** MurmurHash3's finalizer: every bit of the input reaches every bit of the output. FNV alone spreads three servers 25/50/25 %. */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The part of a score that belongs to the server: `mix(fnv1a(name))`. */
export function hashName(name: string): number {
  return mix(fnv1a(name));
}

/** The part of a score that belongs to the job: `mix(fnv1a(function NUL key))`; the key is its unique ID, or its workload for `'-'`. */
export function hashJob(name: string, key: Argument): number {
  return mix(fnv1a(key, fnv1a('\0', fnv1a(name))));
}

/** The score of one server for one job, an unsigned 32-bit number: `mix(hashJob XOR hashName)`. Never changes between versions. */
export function rendezvousScore(jobHash: number, nameHash: number): number {
  return mix(jobHash ^ nameHash);
}

const byUnique: Router = (job) => {
  const { function: name, unique, workload } = job;
  // The server coalesces '-' by workload, so that equal workloads must meet on one server.
  const jobHash = (job.hash ??= hashJob(name, unique === '-' ? workload : unique));
  return (server) => rendezvousScore(jobHash, server.nameHash);
};

const inOrder: Router = () => (_server, position) => -position;

function roundRobin(): Router {
  let turn = 0;
  return (_job, servers) => {
    const first = turn++ % servers.length;
    return (_server, position) => -((position - first + servers.length) % servers.length);
  };
}

function custom(route: RouteFunction): Router {
  return (job, servers) => {
    const names = route(
      { function: job.function, unique: job.unique },
      servers.map((server) => server.name),
    );
    if (!Array.isArray(names)) throw invalidArgument('The routing function must return an array of server names.');
    const places = new Map(names.map((name, place) => [name, place] as const).reverse());
    return (server, position) => -(places.get(server.name) ?? names.length + position);
  };
}

/** The router for the option `routing`. */
export function routerFor(routing: unknown): Router {
  if (typeof routing === 'function') return custom(routing as RouteFunction);
  if (routing === 'by-unique') return byUnique;
  if (routing === 'in-order') return inOrder;
  if (routing === 'round-robin') return roundRobin();
  throw invalidArgument("The option routing is 'by-unique', 'in-order', 'round-robin' or a function.");
}
