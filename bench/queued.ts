/** A million jobs in a job server: what they take of its memory, and whether it is slower than with a few. */
import { readFileSync } from 'node:fs';
import { connect, connectForGrabs } from './contenders/bare-socket.js';
import { makeIds } from './contenders/ids.js';
import type { Contender } from './contenders/setting.js';
import type { ServerKind } from './cases.js';
import { median } from './samples.js';
import { startServers } from './servers.js';

const ROUNDS = 3;
const MILLION = 1_000_000;
const FEW = 10_000;
/** What is timed at the beginning and at the end, and what warms up in front of that. */
const MANY = 100_000;
const OUTSTANDING = 1024;
const WORKLOAD_BYTES = 32;

/** What was measured with one job server; medians. */
export interface QueuedResult {
  readonly server: ServerKind;
  /** The resident set of its process when a million jobs are queued. */
  readonly rssBytes: number;
  /** Submissions per second, of the first hundred thousand and of the last. */
  readonly firstPerSecond: number;
  readonly lastPerSecond: number;
  readonly lastToFirst: number;
  /** Jobs per second that are grabbed and completed while ten thousand are queued, and a million. */
  readonly fewPerSecond: number;
  readonly millionPerSecond: number;
  readonly millionToFew: number;
}

type Round = Omit<QueuedResult, 'server'>;

interface Peers {
  readonly client: Contender;
  readonly worker: Contender;
}

async function perSecond(peer: Contender, calls: number): Promise<number> {
  const start = performance.now();
  await peer.run(calls);
  return (calls * 1000) / (performance.now() - start);
}

/** Works jobs off as often as others come, so that about as many stay queued. */
async function grabPerSecond({ client, worker }: Peers): Promise<number> {
  let seconds = 0;
  for (let done = 0; done < MANY; done += FEW) {
    await client.run(FEW);
    seconds += FEW / (await perSecond(worker, FEW));
  }
  return MANY / seconds;
}

/** The resident set as Linux has it. */
function rssOf(pid: number | undefined): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

async function runRound(peers: Peers, pid: number | undefined): Promise<Round> {
  const { client, worker } = peers;
  await client.run(MANY);
  await worker.run(MANY);
  const fewPerSecond = await grabPerSecond(peers);
  const firstPerSecond = await perSecond(client, MANY);
  await client.run(MILLION - 2 * MANY);
  const lastPerSecond = await perSecond(client, MANY);
  const rssBytes = rssOf(pid);
  const millionPerSecond = await grabPerSecond(peers);
  const lastToFirst = lastPerSecond / firstPerSecond;
  const millionToFew = millionPerSecond / fewPerSecond;
  return { rssBytes, firstPerSecond, lastPerSecond, lastToFirst, fewPerSecond, millionPerSecond, millionToFew };
}

async function measureServer(kind: ServerKind, ids: readonly string[]): Promise<Round> {
  const servers = await startServers(kind, 1);
  const setting = { ports: servers.ports, outstanding: OUTSTANDING, workload: Buffer.alloc(WORKLOAD_BYTES, 'w'), ids };
  const client = await connect(setting);
  const worker = await connectForGrabs(setting);
  try {
    return await runRound({ client, worker }, servers.pid);
  } finally {
    client.close();
    worker.close();
    await servers.close();
  }
}

function summarize(server: ServerKind, rounds: readonly Round[]): QueuedResult {
  const of = (figure: keyof Round): number => median(rounds.map((round) => round[figure]));
  return {
    server,
    rssBytes: of('rssBytes'),
    firstPerSecond: of('firstPerSecond'),
    lastPerSecond: of('lastPerSecond'),
    lastToFirst: of('lastToFirst'),
    fewPerSecond: of('fewPerSecond'),
    millionPerSecond: of('millionPerSecond'),
    millionToFew: of('millionToFew'),
  };
}

/**
 * Job servers take turns, each a new process.
 * @param progress - called behind each run
 */
export async function measureQueued(kinds: readonly ServerKind[], progress: () => void): Promise<QueuedResult[]> {
  // As many as are queued and then some: none comes again while its job is there.
  const ids = makeIds(MILLION + MANY);
  const rounds = new Map(kinds.map((kind) => [kind, [] as Round[]]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [kind, own] of rounds) {
      own.push(await measureServer(kind, ids));
      progress();
    }
  }
  return Array.from(rounds, ([kind, own]) => summarize(kind, own));
}
