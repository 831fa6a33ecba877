/** The job servers that contenders run against. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Gearmand } from '../test/support/gearmand.js';
import type { ServerKind } from './cases.js';

/** A job server, or several. */
export interface JobServers {
  /** Others after {@link refresh}, perhaps. */
  readonly ports: readonly number[];
  /** The process. */
  readonly pid: number | undefined;
  /** Before each contender; `dist` is another build of this package, for what runs from it. */
  refresh(dist?: string): Promise<void>;
  close(): Promise<void>;
}

/** A script of the bench that goes on until its standard input ends. */
export interface Helper {
  /** What it said when it was ready. */
  readonly ports: readonly number[];
  readonly pid: number | undefined;
  close(): Promise<void>;
}

/** Starts a script of the bench that prints ports when it is ready. */
export async function startHelper(name: string, ...args: string[]): Promise<Helper> {
  const script = path.join(import.meta.dirname, name);
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return {
    ports: line.trim().split(' ').map(Number),
    pid: child.pid,
    close: async () => {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

/** One process with null servers. They keep nothing, so that there is nothing to refresh. */
export async function startNullServers(count: number): Promise<JobServers> {
  const helper = await startHelper('null-server.js', String(count));
  return { ...helper, refresh: () => Promise.resolve() };
}

/** An embedded job server that starts anew for each contender, as gearmand does. */
async function startJobServer(): Promise<JobServers> {
  let helper = await startHelper('job-server.js');
  return {
    get ports() {
      return helper.ports;
    },
    get pid() {
      return helper.pid;
    },
    refresh: async (dist) => {
      await helper.close();
      helper = await startHelper('job-server.js', ...(dist === undefined ? [] : [dist]));
    },
    close: () => helper.close(),
  };
}

/** A gearmand that starts anew for each contender: jobs pile up in it, and the next one is to find it as empty as the first. */
async function startGearmand(): Promise<JobServers> {
  const options = ['-t', '4', '--hashtable-buckets', '1733003'];
  const gearmand = await Gearmand.start({ after: () => undefined }, ...options);
  return {
    ports: [gearmand.port],
    get pid() {
      return gearmand.pid;
    },
    refresh: async () => {
      await gearmand.kill();
      await gearmand.restart();
    },
    close: () => gearmand.kill(),
  };
}

/** Starts so many job servers of a kind; only of null servers there may be several. */
export function startServers(kind: ServerKind, count: number): Promise<JobServers> {
  if (kind === 'gearmand') return startGearmand();
  return kind === 'JobServer' ? startJobServer() : startNullServers(count);
}
