/** A job server and a worker to play with, for examples: both are gone when the example is. */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gearmand } from '../test/support/gearmand.js';
import { SteppedWorker } from '../test/support/stepped-worker.js';

export interface Demo {
  /** The job server's `host:port`. */
  readonly server: string;
  close(): Promise<void>;
}

/**
 * Starts a gearmand on a free port, and a worker that reverses one text, a letter a step. Ends the process where gearmand is not
 * installed.
 * @param stepMs - how long a step takes, in milliseconds
 */
export async function startDemo(stepMs: number): Promise<Demo> {
  if (spawnSync('gearmand', ['--version']).error !== undefined) {
    console.error('This needs a job server. Install one (Debian, Ubuntu: apt-get install gearman-job-server),');
    console.error('or set GEARMAN_SERVERS to those that you have, for example to 10.0.0.1:4730.');
    process.exit(1);
  }
  let stop: () => void | Promise<void> = () => undefined;
  const close = async (): Promise<void> => {
    await stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void close().then(() => process.exit(1)));
  const gearmand = await Gearmand.start({ after: (clean) => (stop = clean) });
  const worker = new SteppedWorker(gearmand.port, 'reverse');
  void work(worker, stepMs);
  return { server: gearmand.name, close };
}

async function work(worker: SteppedWorker, stepMs: number): Promise<void> {
  const job = await worker.grab();
  const letters = Array.from(job.workload.toString());
  // Half a step ahead, so that who looks every few steps looks between two.
  await sleep(stepMs / 2);
  for (const index of letters.keys()) {
    worker.status(job, index + 1, letters.length);
    await sleep(stepMs);
  }
  worker.complete(job, letters.reverse().join(''));
}
