/** The options of the client and of its calls: what they are, their defaults, and the checks that they pass. */
import { isDate } from 'node:util/types';
import { invalidArgument } from '../errors.js';
import { checkOptions, checkUnique, kindOf } from '../protocol/arguments.js';
import { routerFor, type Router, type Routing } from '../transport/routing.js';
import {
  SERVER_KEYS,
  checkBoolean,
  checkCount,
  checkTime,
  nameOnWire,
  readServerOptions,
  type ServerOptions,
  type ServerSettings,
} from '../transport/settings.js';

/** Options of {@link GearmanClient}. Times are milliseconds. An unknown key is an error. */
export interface GearmanClientOptions extends ServerOptions {
  /** How long a call may take, from the call to the server's answer; 10 s by default, `Infinity` is no limit. */
  readonly timeout?: number | undefined;
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
export interface Settings extends ServerSettings {
  readonly timeout: number;
  readonly maxInFlight: number;
  readonly router: Router;
  readonly resubmit: boolean;
}

/** Options of a question with every default filled in. */
export type QuestionOptions = RequestOptions & Pick<Settings, 'timeout'>;

/** Options of a job with every default filled in. The client's own options are those of a job that has none. */
export type JobOptions = PrioritySubmitOptions & Pick<Settings, 'timeout' | 'resubmit'>;

const CLIENT_KEYS = [...SERVER_KEYS, 'timeout', 'routing', 'resubmit', 'maxInFlight'];
const REQUEST_KEYS = ['timeout', 'signal', 'server'];
const SUBMIT_KEYS = [...REQUEST_KEYS, 'unique', 'at', 'reducer', 'resubmit'];
const PRIORITY_SUBMIT_KEYS = [...SUBMIT_KEYS, 'priority'];

/** Checks the client's options and fills in the defaults. `servers` is read elsewhere, for it may come from the environment. */
export function readClientOptions(given: GearmanClientOptions): Settings {
  const options: GearmanClientOptions = checkOptions('GearmanClient', given, CLIENT_KEYS);
  const { timeout = 10_000, routing = 'by-unique', resubmit = false, maxInFlight = 1024 } = options;
  return {
    ...readServerOptions(options),
    timeout: checkTime('timeout', timeout),
    router: routerFor(routing),
    resubmit: checkBoolean('resubmit', resubmit),
    maxInFlight: checkCount('maxInFlight', maxInFlight),
  };
}

/** Checks the options of a question. Returns a copy, for the caller may change his before the call settles. */
export function readRequestOptions(given: unknown, method: string, settings: Settings): QuestionOptions {
  const options: RequestOptions = checkOptions(method, given, REQUEST_KEYS);
  const { timeout = settings.timeout, signal, server } = options;
  checkLimits(timeout, signal);
  checkServer(server);
  return { timeout, signal, server };
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
  const keys = named === undefined ? PRIORITY_SUBMIT_KEYS : SUBMIT_KEYS;
  const options: PrioritySubmitOptions = checkOptions(method, given, keys);
  const { timeout = settings.timeout, signal, server, unique, at, reducer, resubmit = settings.resubmit } = options;
  const priority = named ?? options.priority;
  checkLimits(timeout, signal);
  checkServer(server);
  if (unique !== undefined) checkUnique(unique);
  if (at !== undefined && (!isDate(at) || !(at.getTime() >= 0))) {
    throw invalidArgument('The option at must be a valid Date after 1970.');
  }
  checkBoolean('resubmit', resubmit);
  if (priority !== undefined && !['high', 'normal', 'low'].includes(priority)) {
    throw invalidArgument("The option priority is 'high', 'normal' or 'low'.");
  }
  return {
    timeout,
    signal,
    server,
    unique,
    resubmit,
    priority,
    // Not the caller's, who may change it before the packet is written.
    at: at && new Date(at),
    reducer: reducer === undefined ? undefined : nameOnWire('The option reducer', reducer, settings),
  };
}

/** Checks the options of `watch` and returns a copy. */
export function readWatchOptions(given: unknown): WatchOptions {
  const options: WatchOptions = checkOptions('watch', given, ['interval', 'timeout', 'signal']);
  const { interval, timeout, signal } = options;
  if (interval !== undefined) checkTime('interval', interval);
  checkLimits(timeout, signal);
  return { interval, timeout, signal };
}

/** Checks the options of `close` and returns a copy. */
export function readCloseOptions(given: unknown): CloseOptions {
  const { timeout }: CloseOptions = checkOptions('close', given, ['timeout']);
  checkLimits(timeout, undefined);
  return { timeout };
}

function checkLimits(timeout: unknown, signal: unknown): void {
  if (timeout !== undefined) checkTime('timeout', timeout);
  // By its shape: an AbortSignal of another realm (Jest has one) is no instance of ours.
  if (signal !== undefined && !isSignal(signal))
    throw invalidArgument(`The option signal must be an AbortSignal, not ${kindOf(signal)}.`);
}

function checkServer(server: unknown): void {
  if (server === undefined || (typeof server === 'string' && server !== '')) return;
  throw invalidArgument(`The option server must be the name of a job server, not ${kindOf(server)}.`);
}

function isSignal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Readonly<Record<keyof AbortSignal, unknown>>;
  return (
    typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  );
}
