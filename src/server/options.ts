/** The options of the job server: what they are, their defaults, and the checks that they pass. */
import type { TlsOptions } from 'node:tls';
import { invalidArgument } from '../errors.js';
import { checkOptions, checkWhole, kindOf } from '../protocol/arguments.js';
import { MAX_DATA_BYTES } from '../protocol/packet.js';
import type { Place } from '../runtime.js';
import type { QueueSettings } from './queue.js';

/** Options of {@link JobServer}. An unknown key is an error. */
export interface JobServerOptions {
  /**
   * What job handles are made of, `H:<name>:<number>`; `'server'` by default. 1 to 40 bytes of printable ASCII. Servers of one pool
   * need different names, or clients cannot tell their jobs apart.
   */
  readonly name?: string | undefined;
  /** Speaks TLS with these options of `tls.createServer`, which must have a certificate and its key; plain TCP by default. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Whether the functions of a worker take turns. By default the one that it registered last goes first while it has jobs. Either way
   * all jobs of a higher priority go before those of a lower one.
   */
  readonly roundRobin?: boolean | undefined;
  /** A job that this many workers were lost over fails; by default it is tried again without end. */
  readonly jobRetries?: number | undefined;
  /** The most bytes of data in a packet; 64 MiB by default. A peer that announces more is disconnected. */
  readonly maxPacketSize?: number | undefined;
}

/** Where {@link JobServer.listen} listens. */
export interface ListenOptions {
  /** 0 is any port that is free; 4730 by default. */
  readonly port?: number | undefined;
  /** Host name or IP address of this machine; `'127.0.0.1'` by default, which only this machine reaches. */
  readonly host?: string | undefined;
}

/** {@link JobServerOptions} with every default filled in. */
export interface JobServerSettings extends QueueSettings {
  readonly name: string;
  readonly tls: TlsOptions | undefined;
  readonly maxPacketSize: number;
}

const KEYS = ['name', 'tls', 'roundRobin', 'jobRetries', 'maxPacketSize'];

/** Checks the options and fills in the defaults. */
export function readServerOptions(given: unknown): JobServerSettings {
  const options: JobServerOptions = checkOptions('JobServer', given, KEYS);
  const { name = 'server', tls, roundRobin = false, jobRetries = Infinity, maxPacketSize = 64 * 1024 * 1024 } = options;
  if (typeof name !== 'string' || !/^[\x21-\x7e]{1,40}$/.test(name)) {
    throw invalidArgument('The option name must have 1 to 40 characters of printable ASCII.');
  }
  if (tls !== undefined && (typeof tls !== 'object' || (tls as object | null) === null)) {
    throw invalidArgument(`The option tls is an object of options for tls.createServer, not ${kindOf(tls)}.`);
  }
  if (typeof roundRobin !== 'boolean') throw invalidArgument('The option roundRobin must be true or false.');
  if (jobRetries !== Infinity) checkWhole('jobRetries', jobRetries, 1, Number.MAX_SAFE_INTEGER);
  checkWhole('maxPacketSize', maxPacketSize, 1, MAX_DATA_BYTES);
  return { name, tls, roundRobin, jobRetries, maxPacketSize };
}

/** Checks where to listen and fills in the defaults. */
export function readListenOptions(given: unknown): Omit<Place, 'tls'> {
  const { port = 4730, host = '127.0.0.1' }: ListenOptions = checkOptions('listen', given, ['port', 'host']);
  checkWhole('port', port, 0, 65_535);
  if (typeof host !== 'string' || host === '')
    throw invalidArgument('The option host must be a host name or IP address.');
  return { port, host };
}
