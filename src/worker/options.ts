/** The options of the worker and of its functions: what they are, their defaults, and the checks that they pass. */
import { invalidArgument } from '../errors.js';
import { checkFunction, checkOptions, kindOf } from '../protocol/arguments.js';
import {
  SERVER_KEYS,
  checkBoolean,
  checkCount,
  checkTime,
  readServerOptions,
  type ServerOptions,
  type ServerSettings,
} from '../transport/settings.js';

/** Options of {@link GearmanWorker}. Times are milliseconds. An unknown key is an error. */
export interface GearmanWorkerOptions extends ServerOptions {
  /** The name that `gearadmin --workers` shows; 1 to 127 bytes without blanks. None by default. */
  readonly id?: string | undefined;
  /** How many jobs run at a time, over all servers; 1 by default. */
  readonly concurrency?: number | undefined;
  /** The worker closes when it has run so many jobs; no limit by default. */
  readonly maxJobs?: number | undefined;
  /** The worker closes when it has had no job for so long; never by default. */
  readonly idleTimeout?: number | undefined;
}

/** Options of a function. */
export interface FunctionOptions {
  /**
   * How long a job may take, from its assignment on: then its `signal` is aborted and `onTimeout` done. No limit by default. The
   * handler's place is free for another job only when the handler has ended.
   */
  readonly timeout?: number | undefined;
  /** `'fail'` (default) fails the job, `'retry'` gives it back to the server for another worker. */
  readonly onTimeout?: 'fail' | 'retry' | undefined;
  /** How many jobs of this function run at a time; the worker's `concurrency` by default. Takes a connection of its own a server. */
  readonly concurrency?: number | undefined;
  /** Whether jobs say which function reduces their results (GRAB_JOB_ALL); `false` by default. */
  readonly reducer?: boolean | undefined;
  /**
   * Asks the server to take a job away after so long (CAN_DO_TIMEOUT, whole seconds in gearmand, which 1.1.20 measures by one timer a
   * connection): a last resort, `timeout` is exact. Not asked for by default.
   */
  readonly serverTimeout?: number | undefined;
}

/** The worker's options with every default filled in. */
export interface WorkerSettings extends ServerSettings {
  readonly id: string | undefined;
  readonly concurrency: number;
  readonly maxJobs: number;
  readonly idleTimeout: number;
  /** The transport wants it; a worker's requests are few. */
  readonly maxInFlight: number;
}

/** A function's options with every default filled in. */
export interface FunctionSettings {
  readonly timeout: number;
  readonly onTimeout: 'fail' | 'retry';
  readonly concurrency: number | undefined;
  readonly reducer: boolean;
  readonly serverTimeout: number | undefined;
}

const WORKER_KEYS = [...SERVER_KEYS, 'id', 'concurrency', 'maxJobs', 'idleTimeout'];
const FUNCTION_KEYS = ['timeout', 'onTimeout', 'concurrency', 'reducer', 'serverTimeout'];

/** Each place is a request for a job whenever a server wakes the worker. */
const MOST_PLACES = 65_536;

/** gearmand cuts a longer one. */
const MAX_ID_BYTES = 127;

/** Checks the worker's options and fills in the defaults. */
export function readWorkerOptions(given: GearmanWorkerOptions): WorkerSettings {
  const options: GearmanWorkerOptions = checkOptions('GearmanWorker', given, WORKER_KEYS);
  const { id, concurrency = 1, maxJobs, idleTimeout = Infinity } = options;
  return {
    ...readServerOptions(options),
    id: id === undefined ? id : checkId(id),
    concurrency: checkCount('concurrency', concurrency, MOST_PLACES),
    maxJobs: maxJobs === undefined ? Infinity : checkCount('maxJobs', maxJobs),
    idleTimeout: checkTime('idleTimeout', idleTimeout),
    maxInFlight: Infinity,
  };
}

/** Checks the options of a function and fills in the defaults. */
export function readFunctionOptions(given: unknown): FunctionSettings {
  const options: FunctionOptions = checkOptions('addFunction', given, FUNCTION_KEYS);
  const { timeout = Infinity, onTimeout = 'fail', concurrency, reducer = false, serverTimeout } = options;
  if (!['fail', 'retry'].includes(onTimeout)) throw invalidArgument("The option onTimeout is 'fail' or 'retry'.");
  if (serverTimeout !== undefined && !(checkTime('serverTimeout', serverTimeout) < Infinity)) {
    throw invalidArgument('The option serverTimeout must be a number of milliseconds; leave it out for no limit.');
  }
  return {
    timeout: checkTime('timeout', timeout),
    onTimeout,
    concurrency: concurrency === undefined ? concurrency : checkCount('concurrency', concurrency),
    reducer: checkBoolean('reducer', reducer),
    serverTimeout,
  };
}

/** Checks the options of the worker's `close` and fills in the default. */
export function readCloseTimeout(given: unknown): number {
  const { timeout = Infinity }: { timeout?: unknown } = checkOptions('close', given, ['timeout']);
  return checkTime('timeout', timeout);
}

function checkId(id: unknown): string {
  if (typeof id !== 'string') throw invalidArgument(`The option id must be a string, not ${kindOf(id)}.`);
  if (id === '') throw invalidArgument('The option id is empty. Leave it out for none.');
  const checked = checkFunction(id, 'The option id');
  if (/\s/.test(checked))
    throw invalidArgument('The option id must have no blanks, which end it in the list of workers.');
  if (Buffer.byteLength(checked) <= MAX_ID_BYTES) return checked;
  throw invalidArgument(`The option id must have at most ${String(MAX_ID_BYTES)} bytes.`);
}
