/** The options of the client and of its calls: what they are, their defaults, and the checks that they pass. */
import type { ConnectionOptions } from 'node:tls';
import { isDate } from 'node:util/types';
import { invalidArgument } from '../errors.js';
import { checkFunction, checkUnique, kindOf, refuseUnknownKeys } from '../protocol/arguments.js';
import { MAX_DATA_BYTES } from '../protocol/packet.js';
import { checkTls, type Servers } from '../transport/address.js';
import type { Backoff } from '../transport/backoff.js';
import { routerFor, type Router, type Routing } from '../transport/routing.js';

/** Options of {@link GearmanClient}. Times are milliseconds. An unknown key is an error. */
export interface GearmanClientOptions {
  /**
   * The job servers. While none was ever named, here or with `addServer`: those of the environment variable `GEARMAN_SERVERS`
   * (`a:4730,b`), else `127.0.0.1:4730`.
   */
  readonly servers?: Servers | undefined;
  /** TLS to all servers that do not say otherwise: `true`, or options of `tls.connect`. Certificates are verified. Off by default. */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** How long a call may take, from the call to the server's answer; 10 s by default, `Infinity` is no limit. */
  readonly timeout?: number | undefined;
  /** How long connecting may take, and then the first answer, before the next server is tried; 3 s by default. */
  readonly connectTimeout?: number | undefined;
  /**
   * A server that is silent for so long while an answer is due is asked for a sign of life, and given up when that takes as long again;
   * 3 s by default. Taking in what is sent counts as a sign, down to the last 256 KiB.
   */
  readonly heartbeat?: number | undefined;
  /** The pause after a server failed: doubled from `min` (100 ms by default) to `max` (10 s), with jitter. */
  readonly backoff?: { readonly min?: number | undefined; readonly max?: number | undefined } | undefined;
  /**
   * Which server a job goes to. `'by-unique'` (default): the one that its function and unique ID rank first, the same from every client
   * with the same servers; `'in-order'`: the first that is up; `'round-robin'`; or a function that returns names in order of preference.
   */
  readonly routing?: Routing | undefined;
  /**
   * Submit again, with the same unique ID, when the connection died before the server's answer: the job is submitted at least once,
   * perhaps twice. `false` by default: such a call rejects with `maybeSubmitted: true`.
   */
  readonly resubmit?: boolean | undefined;
  /** The most requests on one connection that are not answered, 1024 by default; the rest wait in the client and can move. */
  readonly maxInFlight?: number | undefined;
  /** The most bytes of data in a packet from a server; 64 MiB by default. A server that sends more is disconnected. */
  readonly maxPacketSize?: number | undefined;
  /** Put in front of every function name, to share servers; `''` by default. */
  readonly prefix?: string | undefined;
}

/** Options of a call. */
export interface RequestOptions {
  /** How long the call may take in milliseconds; the client's `timeout` by default. */
  readonly timeout?: number | undefined;
  /** Aborts the call: it rejects with `GEARMAN_ABORTED`. A job that was submitted stays submitted. */
  readonly signal?: AbortSignal | undefined;
  /** Name of the only job server to use. */
  readonly server?: string | undefined;
}

/** Options of a job. */
export interface SubmitOptions extends RequestOptions {
  /** Unique ID; a UUIDv1 by default. At most 63 bytes. */
  readonly unique?: string | undefined;
  /** Not before this time, which gearmand keeps in whole seconds. Such a job has normal priority. */
  readonly at?: Date | undefined;
  /** Name of the function that reduces the results, for a worker that asks for it. Such a job has normal priority. */
  readonly reducer?: string | undefined;
  /** Overrides the client's `resubmit`. */
  readonly resubmit?: boolean | undefined;
}

/** A job's priority: which of the waiting jobs of its function a worker gets first. */
export type Priority = 'high' | 'normal' | 'low';

/** Options of a job whose priority is not in the method's name. */
export interface PrioritySubmitOptions extends SubmitOptions {
  /** `'normal'` by default. */
  readonly priority?: Priority | undefined;
}

/** Options of `watch`. */
export interface WatchOptions {
  /** Milliseconds between two questions; 1 s by default. */
  readonly interval?: number | undefined;
  /** How long in milliseconds the job server may be out of reach before the watch gives up; 60 s by default. */
  readonly timeout?: number | undefined;
  /** Ends the watch: it rejects with `GEARMAN_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `close`. */
export interface CloseOptions {
  /** How long in milliseconds calls may still take before they are cut off; no limit of its own by default, for calls have theirs. */
  readonly timeout?: number | undefined;
}

/** The client's options with every default filled in. */
export interface Settings {
  readonly tls: ConnectionOptions | undefined;
  readonly timeout: number;
  readonly connectTimeout: number;
  readonly heartbeat: number;
  readonly backoff: Backoff;
  readonly router: Router;
  readonly resubmit: boolean;
  readonly maxInFlight: number;
  readonly maxPacketSize: number;
  readonly prefix: string;
}

/** Options of a question with every default filled in. */
export type QuestionOptions = RequestOptions & Pick<Settings, 'timeout'>;

/** Options of a job with every default filled in. The client's own options are those of a job that has none. */
export type JobOptions = PrioritySubmitOptions & Pick<Settings, 'timeout' | 'resubmit'>;

const CLIENT_KEYS = [
  ...['servers', 'tls', 'timeout', 'connectTimeout', 'heartbeat', 'backoff'],
  ...['routing', 'resubmit', 'maxInFlight', 'maxPacketSize', 'prefix'],
];
const REQUEST_KEYS = ['timeout', 'signal', 'server'];
const SUBMIT_KEYS = [...REQUEST_KEYS, 'unique', 'at', 'reducer', 'resubmit'];

/** The longest time that a timer of Node takes, about 24.8 days. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** A lone server and a list of them stand for the options that name them. */
export function asOptions(options: GearmanClientOptions | Servers): GearmanClientOptions {
  if (typeof options === 'string' || Array.isArray(options)) return { servers: options as Servers };
  const isServer = typeof options === 'object' && (options as object | null) !== null && 'host' in options;
  return isServer ? { servers: options } : (options as GearmanClientOptions);
}

/** Checks the client's options and fills in the defaults. `servers` is read elsewhere, for it may come from the environment. */
export function readClientOptions(given: GearmanClientOptions): Settings {
  const options: GearmanClientOptions = copy(given, CLIENT_KEYS, 'GearmanClient');
  const { timeout = 10_000, connectTimeout = 3000, heartbeat = 3000, backoff = {} } = options;
  const { routing = 'by-unique', resubmit = false, prefix = '' } = options;
  const { maxInFlight = 1024, maxPacketSize = 64 * 1024 * 1024 } = options;
  return {
    tls: checkTls(options.tls),
    timeout: checkTime('timeout', timeout),
    connectTimeout: checkTime('connectTimeout', connectTimeout),
    heartbeat: checkTime('heartbeat', heartbeat),
    backoff: checkBackoff(backoff),
    router: routerFor(routing),
    resubmit: checkBoolean('resubmit', resubmit),
    maxInFlight: checkCount('maxInFlight', maxInFlight, Number.MAX_SAFE_INTEGER),
    maxPacketSize: checkCount('maxPacketSize', maxPacketSize, MAX_DATA_BYTES),
    prefix: prefix === '' ? prefix : checkFunction(prefix, 'The option prefix'),
  };
}

/** Checks the options of a question. Returns a copy, for the caller may change his before the call settles. */
export function readRequestOptions(given: unknown, method: string, { timeout }: Settings): QuestionOptions {
  const options: RequestOptions = copy(given, REQUEST_KEYS, method);
  checkLimits(options);
  checkServer(options.server);
  return { ...options, timeout: options.timeout ?? timeout };
}

/**
 * Checks the options of a job and returns a copy, with the client's where there are none. `priority` is one of them only where the
 * method's name does not say it.
 */
export function readSubmitOptions(
  given: unknown,
  method: string,
  named: Priority | undefined,
  settings: Settings,
): JobOptions {
  const keys = named === undefined ? [...SUBMIT_KEYS, 'priority'] : SUBMIT_KEYS;
  const options: PrioritySubmitOptions = copy(given, keys, method);
  checkLimits(options);
  checkServer(options.server);
  const { unique, at, reducer, resubmit = settings.resubmit, timeout = settings.timeout, priority } = options;
  if (unique !== undefined) checkUnique(unique);
  if (at !== undefined && (!isDate(at) || !(at.getTime() >= 0))) {
    throw invalidArgument('The option at must be a valid Date after 1970.');
  }
  checkBoolean('resubmit', resubmit);
  if (priority !== undefined && !['high', 'normal', 'low'].includes(priority)) {
    throw invalidArgument("The option priority is 'high', 'normal' or 'low'.");
  }
  return {
    ...options,
    timeout,
    resubmit,
    // Not the caller's, who may change it before the packet is written.
    at: at && new Date(at),
    reducer: reducer === undefined ? undefined : nameOnWire('The option reducer', reducer, settings),
  };
}

/** A function name with the client's prefix; `what` it is says the error when it is none. */
export function nameOnWire(what: string, name: unknown, { prefix }: Settings): string {
  const checked = checkFunction(name, what);
  return prefix === '' ? checked : checkFunction(prefix + checked, `${what} with its prefix`);
}

/** Checks the options of `watch` and returns a copy. */
export function readWatchOptions(given: unknown): WatchOptions {
  const options: WatchOptions = copy(given, ['interval', 'timeout', 'signal'], 'watch');
  if (options.interval !== undefined) checkTime('interval', options.interval);
  checkLimits(options);
  return options;
}

/** Checks the options of `close` and returns a copy. */
export function readCloseOptions(given: unknown): CloseOptions {
  const options: CloseOptions = copy(given, ['timeout'], 'close');
  checkLimits(options);
  return options;
}

function checkLimits({ timeout, signal }: { readonly timeout?: unknown; readonly signal?: unknown }): void {
  if (timeout !== undefined) checkTime('timeout', timeout);
  // By its shape: an AbortSignal of another realm (Jest has one) is no instance of ours.
  const isSignal = typeof signal === 'object' && signal !== null && 'aborted' in signal && 'addEventListener' in signal;
  if (signal !== undefined && !isSignal)
    throw invalidArgument(`The option signal must be an AbortSignal, not ${kindOf(signal)}.`);
}

function checkServer(server: unknown): void {
  if (server === undefined || (typeof server === 'string' && server !== '')) return;
  throw invalidArgument(`The option server must be the name of a job server, not ${kindOf(server)}.`);
}

function copy(options: unknown, keys: readonly string[], where: string): object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidArgument(`The options of ${where} must be an object, not ${kindOf(options)}.`);
  }
  refuseUnknownKeys(where, options, keys);
  return { ...options };
}

function checkTime(name: string, ms: unknown): number {
  if (typeof ms !== 'number' || !(ms > 0))
    throw invalidArgument(`The option ${name} must be a number of milliseconds above 0.`);
  if (ms <= LONGEST_TIMER || ms === Infinity) return ms;
  throw invalidArgument(`The option ${name} must be at most ${String(LONGEST_TIMER)} ms, or Infinity for no limit.`);
}

function checkBackoff(backoff: unknown): Backoff {
  const { min = 100, max = 10_000 }: { min?: unknown; max?: unknown } = copy(backoff, ['min', 'max'], 'backoff');
  const checked = { min: checkTime('backoff.min', min), max: checkTime('backoff.max', max) };
  if (checked.min <= checked.max && checked.max !== Infinity) return checked;
  throw invalidArgument('The option backoff needs min <= max (10000 by default), and neither may be Infinity.');
}

function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidArgument(`The option ${name} must be true or false, not ${kindOf(value)}.`);
}

function checkCount(name: string, value: unknown, largest: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= largest) return value;
  throw invalidArgument(`The option ${name} must be a whole number from 1 to ${String(largest)}.`);
}
