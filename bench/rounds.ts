/** Runs a case: contenders take turns on the same job server, round after round. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { serverOf, type Case, type Contender, type ServerKind } from './cases.js';
import { connect } from './contenders/bare-socket.js';
import { makeIds } from './contenders/ids.js';
import { programOf } from './prepare.js';
import { summarize, type CaseResult, type Sample } from './samples.js';
import { startHelper, startServers, type JobServers } from './servers.js';

const ROUNDS = 5;
/** How long a contender warms up, and then how long it is measured. */
const SECONDS = 0.6;
/** How long a worker may take for the jobs that are queued, but for the one in C. */
const DRAIN_SECONDS = 5;
/** A contender that takes as long as this has got stuck. */
const STUCK_MS = 60_000;
/** Distinct unique IDs where jobs are not kept. */
const IDS = 65_536;
/** What may pile up in gearmand in one run: jobs, and their bytes with those that gearmand adds to each. */
const MOST_JOBS = 600_000;
const MOST_BYTES = 512 * 1024 * 1024;
const BYTES_PER_JOB = 512;

const run = promisify(execFile);

/** How many calls a contender may make, and with how many unique IDs. Where jobs are kept no ID may come twice. */
function limitsOf({ server, workloadBytes, name, worker }: Case): { most: number; ids: number } {
  if (server === 'null server' || name.endsWith('status') || worker !== undefined) return { most: 1e9, ids: IDS };
  const most = Math.min(MOST_JOBS, Math.floor(MOST_BYTES / (workloadBytes + BYTES_PER_JOB)));
  return { most, ids: most };
}

function settingsOf({ outstanding }: Contender, given: Case, { ports, pid }: JobServers): Record<string, unknown> {
  const base = { ports, outstanding: outstanding ?? given.outstanding, workload: given.workloadBytes };
  if (given.queued !== undefined) return { ...base, seconds: DRAIN_SECONDS, most: given.queued, queued: 'yes' };
  return {
    ...base,
    ...limitsOf(given),
    seconds: SECONDS,
    ...(given.subject === 'server' && { 'cpu-of': pid }),
    ...(given.worker !== undefined && { foreground: 'yes' }),
  };
}

async function runContender(contender: Contender, given: Case, servers: JobServers): Promise<Sample> {
  const { script, isProgram, dist } = contender;
  const settings = settingsOf(contender, given, servers);
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const options = { timeout: STUCK_MS, env: dist === undefined ? process.env : { ...process.env, BENCH_DIST: dist } };
  const main = path.join(import.meta.dirname, 'contenders', 'main.js');
  const { stdout } =
    isProgram === true
      ? await run(programOf(script), args, options)
      : await run(process.execPath, ['--no-warnings', main, '--name', script, ...args], options);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Sample;
}

/** Submits jobs for a worker to find. */
async function fillQueue(jobs: number, workloadBytes: number, ports: readonly number[]): Promise<void> {
  const workload = Buffer.alloc(workloadBytes, 'w');
  const client = await connect({ ports, outstanding: 1024, workload, ids: makeIds(jobs) });
  await client.run(jobs);
  client.close();
}

function describe(error: unknown): string {
  const { killed, stderr } = error as { killed?: boolean; stderr?: string };
  if (killed === true) return `got stuck for ${String(STUCK_MS / 1000)} s`;
  return stderr?.trim().split('\n').at(-1) ?? String(error);
}

/** Who began the last round ends this one: nobody always runs behind the same other. */
function* turns(contenders: readonly Contender[]): Generator<Contender> {
  for (let round = 0; round < ROUNDS; round++) {
    const first = round % contenders.length;
    yield* contenders.slice(first);
    yield* contenders.slice(0, first);
  }
}

async function runTurn(contender: Contender, given: Case, servers: JobServers): Promise<Sample> {
  await servers.refresh(contender.dist);
  const { queued, worker, workloadBytes } = given;
  if (queued !== undefined) await fillQueue(queued, workloadBytes, servers.ports);
  const helper =
    worker === undefined ? undefined : await startHelper('worker.js', String(worker), ...servers.ports.map(String));
  try {
    return await runContender(contender, given, servers);
  } finally {
    await helper?.close();
  }
}

type Servers = ReadonlyMap<ServerKind, JobServers>;

async function runTurns(given: Case, servers: Servers, progress: () => void): Promise<CaseResult> {
  const samples = new Map(given.contenders.map(({ name }) => [name, [] as Sample[]]));
  const failures: string[] = [];
  for (const contender of turns(given.contenders)) {
    const own = samples.get(contender.name);
    const against = servers.get(serverOf(contender, given));
    if (own === undefined || against === undefined) continue;
    try {
      own.push(await runTurn(contender, given, against));
    } catch (error) {
      samples.delete(contender.name);
      failures.push(`${contender.name}: ${describe(error)}`);
    }
    progress();
  }
  const { name, title, subject, workloadBytes } = given;
  return { name, title, subject, workloadBytes, figures: summarize(samples, given), failures };
}

/**
 * The figures of one case.
 * @param progress - called behind each run
 */
export async function runCase(given: Case, progress: () => void): Promise<CaseResult> {
  const servers = new Map<ServerKind, JobServers>();
  try {
    for (const kind of new Set(given.contenders.map((each) => serverOf(each, given)))) {
      servers.set(kind, await startServers(kind, given.servers));
    }
    return await runTurns(given, servers, progress);
  } finally {
    for (const each of servers.values()) await each.close();
  }
}
