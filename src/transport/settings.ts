/** The options of everything that talks to job servers: what they are, their defaults, and the checks that they pass. */
import type { ConnectionOptions } from 'node:tls';
import { invalidArgument } from '../errors.js';
import { checkFunction, checkOptions, checkWhole, kindOf } from '../protocol/arguments.js';
import { MAX_DATA_BYTES } from '../protocol/packet.js';
import { LONGEST_TIMER_MS } from '../runtime.js';
import { checkTls, type Servers } from './address.js';
import type { Backoff } from './backoff.js';

/** Options that say where the job servers are and when one is given up. Times are milliseconds. */
export interface ServerOptions {
  /**
   * The job servers. While none was ever named, here or with `addServer`: those of the environment variable `GEARMAN_SERVERS`
   * (`a:4730,b`), else `127.0.0.1:4730`.
   */
  readonly servers?: Servers | undefined;
  /** TLS to all servers that do not say otherwise: `true`, or options of `tls.connect`. Certificates are verified. Off by default. */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** How long connecting may take, and then the first answer, before the next server is tried; 3 s by default. */
  readonly connectTimeout?: number | undefined;
  /**
   * A server that is silent for so long while an answer is due is asked for a sign of life, and given up when that takes as long again;
   * 3 s by default. That it takes what is sent counts as a sign, but what the system's send buffer holds (some megabytes) nobody sees:
   * raise it for slow lines. With `Infinity` a dead server is not noticed, and what waits for it has its own deadline alone.
   */
  readonly heartbeat?: number | undefined;
  /** The pause after a server failed: doubled from `min` (100 ms by default) to `max` (10 s), with jitter. */
  readonly backoff?: { readonly min?: number | undefined; readonly max?: number | undefined } | undefined;
  /** The most bytes of data in a packet from a server; 64 MiB by default. A server that sends more is disconnected. */
  readonly maxPacketSize?: number | undefined;
  /** Put in front of every function name, to share servers; `''` by default. */
  readonly prefix?: string | undefined;
}

/** {@link ServerOptions} with every default filled in. */
export interface ServerSettings {
  readonly tls: ConnectionOptions | undefined;
  readonly connectTimeout: number;
  readonly heartbeat: number;
  readonly backoff: Backoff;
  readonly maxPacketSize: number;
  readonly prefix: string;
}

/** The keys of {@link ServerOptions}. */
export const SERVER_KEYS: readonly string[] = [
  ...['servers', 'tls', 'connectTimeout', 'heartbeat', 'backoff'],
  ...['maxPacketSize', 'prefix'],
];

/** Checks the options and fills in the defaults. `servers` is read elsewhere, for it may come from the environment. */
export function readServerOptions(options: ServerOptions): ServerSettings {
  const { connectTimeout = 3000, heartbeat = 3000, backoff = {} } = options;
  const { maxPacketSize = 64 * 1024 * 1024, prefix = '' } = options;
  return {
    tls: checkTls(options.tls),
    connectTimeout: checkTime('connectTimeout', connectTimeout),
    heartbeat: checkTime('heartbeat', heartbeat),
    backoff: checkBackoff(backoff),
    maxPacketSize: checkCount('maxPacketSize', maxPacketSize, MAX_DATA_BYTES),
    prefix: prefix === '' ? prefix : checkFunction(prefix, 'The option prefix'),
  };
}

/** A lone server and a list of them stand for the options that name them. */
export function asOptions<Options extends ServerOptions>(options: Options | Servers): Options {
  const isList = typeof options === 'string' || Array.isArray(options);
  const isServer = typeof options === 'object' && (options as object | null) !== null && 'host' in options;
  return (isList || isServer ? { servers: options } : options) as Options;
}

/** A function name with the prefix; `what` it is says the error when it is none. */
export function nameOnWire(what: string, name: unknown, { prefix }: Pick<ServerSettings, 'prefix'>): string {
  const checked = checkFunction(name, what);
  return prefix === '' ? checked : checkFunction(prefix + checked, `${what} with its prefix`);
}

/** A time in milliseconds: above 0, `Infinity` for no limit. */
export function checkTime(name: string, ms: unknown): number {
  if (typeof ms !== 'number' || !(ms > 0))
    throw invalidArgument(`The option ${name} must be a number of milliseconds above 0.`);
  if (ms <= LONGEST_TIMER_MS || ms === Infinity) return ms;
  throw invalidArgument(`The option ${name} must be at most ${String(LONGEST_TIMER_MS)} ms, or Infinity for no limit.`);
}

/** `true` or `false`. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidArgument(`The option ${name} must be true or false, not ${kindOf(value)}.`);
}

/** A whole number from 1 on. */
export function checkCount(name: string, value: unknown, largest: number = Number.MAX_SAFE_INTEGER): number {
  return checkWhole(name, value, 1, largest);
}

function checkBackoff(backoff: unknown): Backoff {
  const { min = 100, max = 10_000 }: { min?: unknown; max?: unknown } = checkOptions('backoff', backoff, [
    'min',
    'max',
  ]);
  const checked = { min: checkTime('backoff.min', min), max: checkTime('backoff.max', max) };
  if (checked.min <= checked.max && checked.max !== Infinity) return checked;
  throw invalidArgument('The option backoff needs min <= max (10000 by default), and neither may be Infinity.');
}
