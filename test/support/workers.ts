/** Workers, clients and job servers that live as long as a test. */
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import {
  GearmanClient,
  GearmanWorker,
  type FunctionOptions,
  type GearmanWorkerOptions,
  type JobHandler,
} from '../../src/index.js';
import { Condition } from './condition.js';
import { ForegroundClient } from './foreground.js';
import { Gearmand } from './gearmand.js';

/** A function with options of its own. */
export interface Skill {
  readonly handler: JobHandler;
  readonly options: FunctionOptions;
}

/** A worker of the servers, with fast backoff, which is not started yet. */
export function workerOf(
  t: TestContext,
  servers: readonly Gearmand[],
  functions: Readonly<Record<string, JobHandler | Skill>>,
  options: GearmanWorkerOptions = {},
): GearmanWorker {
  const worker = new GearmanWorker({
    servers: servers.map(({ name }) => name),
    backoff: { min: 5, max: 50 },
    ...options,
  });
  for (const [name, skill] of Object.entries(functions)) {
    if (typeof skill === 'function') worker.addFunction(name, skill);
    else worker.addFunction(name, skill.handler, skill.options);
  }
  t.after(() => {
    worker.destroy();
  });
  return worker;
}

/** Starts the worker; resolves when each of its servers has it. */
export async function startOn(worker: GearmanWorker, servers: readonly Gearmand[]): Promise<void> {
  const all = Promise.all(servers.map(({ name }) => onServer(worker, 'connect', name)));
  await worker.start();
  await all;
}

/** Resolves when the worker says that of the server. */
export async function onServer(worker: GearmanWorker, event: 'connect' | 'disconnect', name: string): Promise<void> {
  for (;;) {
    const [server] = (await once(worker, event)) as [string];
    if (server === name) return;
  }
}

/** A client of the servers. */
export function clientOf(t: TestContext, ...servers: readonly Gearmand[]): GearmanClient {
  const client = new GearmanClient({ servers: servers.map(({ name }) => name), timeout: 30_000 });
  t.after(() => {
    client.destroy();
  });
  return client;
}

/** A client that waits for results. */
export function foregroundOf(t: TestContext, { port }: Gearmand, options?: { exceptions: boolean }): ForegroundClient {
  const client = new ForegroundClient(port, options);
  t.after(() => {
    client.close();
  });
  return client;
}

/** Counts the runs of quick jobs by their workloads, over any number of workers. */
export class Tally {
  readonly runs = new Map<string, number>();
  /** How many runs there were. */
  count = 0;
  readonly #condition = new Condition();

  /** One more run of a workload. */
  add(workload: string): void {
    this.runs.set(workload, (this.runs.get(workload) ?? 0) + 1);
    this.count++;
    this.#condition.changed();
  }

  /** Resolves when there were so many runs. */
  reached(count: number): Promise<void> {
    return this.#condition.until(() => this.count >= count);
  }

  /** The workloads that ran more than once. */
  get repeated(): string[] {
    return Array.from(this.runs).flatMap(([workload, runs]) => (runs > 1 ? [workload] : []));
  }
}
