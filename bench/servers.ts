/** The job servers that contenders run against. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Gearmand } from '../test/support/gearmand.js';

/** A job server, or several. */
export interface JobServers {
  readonly ports: readonly number[];
  /** Before each contender. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** One process with null servers. They keep nothing, so that there is nothing to refresh. */
export async function startNullServers(count: number): Promise<JobServers> {
  const script = path.join(import.meta.dirname, 'null-server.js');
  const child = spawn(process.execPath, [script, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  return {
    ports: line.trim().split(' ').map(Number),
    refresh: () => Promise.resolve(),
    close: async () => {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

/** A gearmand that starts anew for each contender: jobs pile up in it, and the next one is to find it as empty as the first. */
export async function startGearmand(): Promise<JobServers> {
  const options = ['-t', '4', '--hashtable-buckets', '1733003'];
  const gearmand = await Gearmand.start({ after: () => undefined }, ...options);
  return {
    ports: [gearmand.port],
    refresh: async () => {
      await gearmand.kill();
      await gearmand.restart();
    },
    close: () => gearmand.kill(),
  };
}
