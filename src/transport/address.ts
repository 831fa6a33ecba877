/** Where job servers are: lists of them as users write them, and one name for each. */
import { SocketAddress, isIP, isIPv6 } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { describe, invalidArgument } from '../errors.js';
import { kindOf, refuseUnknownKeys } from '../protocol/arguments.js';

/** Gearman's port at IANA. */
export const DEFAULT_PORT = 4730;
/** PHP's and libgearman's default. */
export const DEFAULT_HOST = '127.0.0.1';

/** One job server, spelt out. */
export interface ServerAddress {
  /** Host name, IPv4 or IPv6 address, the latter with or without brackets. */
  readonly host: string;
  /** 1 to 65535; 4730 by default. */
  readonly port?: number | string | undefined;
  /**
   * The server's name, which routing and `id`s use: `host:port` by default. Clients agree on where a unique ID goes only if they
   * call a server by the same name.
   */
  readonly name?: string | undefined;
  /** TLS for this server: `true`, or options of `tls.connect`; the client's option `tls` by default. */
  readonly tls?: boolean | ConnectionOptions | undefined;
}

/** Job servers as users name them: `'a:4730,b'`, `{ host, port, name?, tls? }`, or an array of these. */
export type Servers = string | ServerAddress | readonly (string | ServerAddress)[];

/** A job server with everything filled in. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly tls: ConnectionOptions | undefined;
}

const ADVICE = 'Write host, host:port or [IPv6]:port, without a scheme.';

const KEYS: readonly string[] = ['host', 'port', 'name', 'tls'];

/**
 * Reads a list of servers. Duplicates are one server.
 * @param tls - the TLS options of servers that have none of their own
 * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT` that names the bad entry
 */
export function parseServers(servers: unknown, tls?: ConnectionOptions): Address[] {
  const list = Array.isArray(servers) ? (servers as unknown[]) : [servers];
  const entries = list.flatMap((entry) => (typeof entry === 'string' ? entry.split(',') : [entry]));
  if (entries.length === 0) throw invalidArgument('The list of servers is empty. Leave it out to use the default.');
  const byName = new Map<string, Address>();
  for (const entry of entries) {
    const address = parseServer(entry, tls);
    const known = byName.get(address.name);
    if (known !== undefined) refuseOtherPlace(known, address);
    byName.set(address.name, known ?? address);
  }
  return [...byName.values()];
}

/** The servers where none was named: those of the environment, else the default. */
export function defaultServers(tls?: ConnectionOptions): Address[] {
  const fromEnvironment = process.env['GEARMAN_SERVERS'] ?? '';
  if (fromEnvironment.trim() === '') return parseServers(DEFAULT_HOST, tls);
  try {
    return parseServers(fromEnvironment, tls);
  } catch (error) {
    throw invalidArgument(`The environment variable GEARMAN_SERVERS: ${describe(error)}`);
  }
}

/** A name stands for one place: anything else would break routing and status without a word. */
export function refuseOtherPlace(known: Address, other: Address): void {
  if (known.host === other.host && known.port === other.port) return;
  throw invalidArgument(`Two job servers have the name ${other.name}. Give each a name of its own.`);
}

/** Reads one server: `'host'`, `'host:port'`, `'[::1]:4730'` or an object. */
export function parseServer(server: unknown, tls?: ConnectionOptions): Address {
  if (typeof server === 'string') {
    const { host, port } = splitHostPort(server);
    return complete({ host, port }, tls);
  }
  if (typeof server !== 'object' || server === null || Array.isArray(server)) {
    throw invalidArgument(`A job server is a string or { host, port }, not ${kindOf(server)}.`);
  }
  refuseUnknownKeys('A job server', server, KEYS);
  return complete(server, tls);
}

/** `host:port`, IPv6 addresses in brackets: the name of a server that has no other. */
export function placeOf({ host, port }: Pick<Address, 'host' | 'port'>): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${String(port)}`;
}

/** The name of a server as a user may write it, or as it stands in front of the `//` of an id. */
export function normalizeName(name: string): string {
  try {
    return parseServer(name).name;
  } catch {
    return name;
  }
}

function splitHostPort(text: string): { host: string; port: string | undefined } {
  const trimmed = text.trim();
  if (isIPv6(trimmed)) return { host: trimmed, port: undefined };
  const [, host, port] = /^(\[[^\]]*\]|[^:[]*)(?::(.*))?$/s.exec(trimmed) ?? [];
  if (host === undefined || trimmed.includes('//')) throw invalidArgument(`'${text}' is no job server. ${ADVICE}`);
  return { host, port };
}

function complete(
  server: { host?: unknown; port?: unknown; name?: unknown; tls?: unknown },
  tls?: ConnectionOptions,
): Address {
  const host = checkHost(server.host);
  const port = checkPort(server.port ?? DEFAULT_PORT, host);
  const name = server.name ?? placeOf({ host, port });
  if (typeof name !== 'string' || !/^[^\s\0,/]+$/.test(name)) {
    throw invalidArgument('The name of a job server is a string without blanks, commas and slashes.');
  }
  return { host, port, name, tls: server.tls === undefined ? tls : checkTls(server.tls) };
}

function checkHost(host: unknown): string {
  if (typeof host !== 'string')
    throw invalidArgument(`The host of a job server must be a string, not ${kindOf(host)}.`);
  const trimmed = host.trim();
  const bare = /^\[(.*)\]$/s.exec(trimmed)?.[1] ?? trimmed;
  if (bare === '') throw invalidArgument('The host of a job server is empty. Write host, host:port or [IPv6]:port.');
  if (isIPv6(bare)) return normalizeIPv6(bare);
  if (bare === trimmed && (isIP(bare) !== 0 || /^[^\s\0:/[\]@?#,]+$/.test(bare))) return bare.toLowerCase();
  throw invalidArgument(`'${host}' is no host name or IP address. ${ADVICE}`);
}

/** One spelling for each address; a zone (`fe80::1%eth0`) is the name of a network interface, and stays as it is. */
function normalizeIPv6(host: string): string {
  const [number = '', ...zone] = host.split('%');
  const { address } = new SocketAddress({ address: number.toLowerCase(), family: 'ipv6' });
  return [address, ...zone].join('%');
}

function checkPort(port: unknown, host: string): number {
  const number = typeof port === 'string' && /^\d+$/.test(port.trim()) ? Number(port) : port;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 65_535) return number;
  throw invalidArgument(`The port of ${host} must be a whole number from 1 to 65535.`);
}

/** `true` means the defaults of `tls.connect`, which verify the certificate. */
export function checkTls(tls: unknown): ConnectionOptions | undefined {
  if (tls === undefined || tls === false) return undefined;
  if (tls === true) return {};
  if (typeof tls === 'object' && tls !== null && !Array.isArray(tls)) return tls;
  throw invalidArgument(`The option tls is true or an object of options for tls.connect, not ${kindOf(tls)}.`);
}
