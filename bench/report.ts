/** Everything that one run of the bench found out. */
import { spawnSync } from 'node:child_process';
import * as os from 'node:os';
import type { QueuedResult } from './queued.js';
import type { CaseResult } from './samples.js';

/** What `memory.js` prints: of a workload of 64 MiB, copies that were made of it, by buffers and by the process. */
export interface Copies {
  readonly copies: number;
  readonly rssCopies: number;
}

/** What `memory.js` prints of a million calls at once. */
export interface Million {
  readonly bytesEach: number;
  readonly leftBytes: number;
}

export interface MemoryResult {
  readonly buffer: Copies;
  readonly string: Copies;
  readonly million: Million;
}

export interface CodecResult {
  readonly name: string;
  readonly nanoseconds: number;
}

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly versions: string;
  readonly cases: readonly CaseResult[];
  readonly queued: readonly QueuedResult[];
  readonly memory: MemoryResult | undefined;
  readonly codec: readonly CodecResult[];
}

/** Where it was measured. */
export function describeMachine(): { date: string; machine: string; versions: string } {
  const cpus = os.cpus();
  const gearmand = spawnSync('gearmand', ['--version'], { encoding: 'utf8' }).stdout as string | null;
  const version = /gearmand ([\d.]+)/.exec(gearmand ?? '')?.[1];
  const gigabytes = Math.round(os.totalmem() / 2 ** 30);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus.length} cores of ${cpus[0]?.model.trim() ?? '?'}, ${gigabytes} GiB, ${os.type()} ${os.release()}`,
    versions: `Node ${process.version}${version === undefined ? '' : `, gearmand and libgearman ${version}`}`,
  };
}
