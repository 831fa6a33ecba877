/** A job server and a worker to play with, for examples: both are gone when the example is. */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { GearmanWorker } from 'gearman-client';
import { Gearmand } from '../test/support/gearmand.js';

export interface Demo {
  /** The job server's `host:port`. */
  readonly server: string;
  close(): Promise<void>;
}

/**
 * Starts a gearmand on a free port, and a worker that reverses texts, a letter a step. Ends the process where gearmand is not
 * installed.
 * @param stepMs - how long a step takes, in milliseconds
 */
export async function startDemo(stepMs: number): Promise<Demo> {
  if (spawnSync('gearmand', ['--version']).error !== undefined) {
    console.error('This needs a job server. Install one (Debian, Ubuntu: apt-get install gearman-job-server),');
    console.error('or set GEARMAN_SERVERS to those that you have, for example to 10.0.0.1:4730.');
    process.exit(1);
  }
  // What was started last ends first.
  const cleanings: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const clean of cleanings.splice(0).reverse()) await clean();
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void close().then(() => process.exit(1)));
  const gearmand = await Gearmand.start({ after: (clean) => cleanings.push(clean) });
  const worker = new GearmanWorker(gearmand.name);
  worker.addFunction('reverse', async (job) => {
    const letters = Array.from(job.text());
    // Half a step ahead, so that who looks every few steps looks between two.
    await sleep(stepMs / 2, undefined, { signal: job.signal });
    for (const index of letters.keys()) {
      job.sendStatus(index + 1, letters.length);
      await sleep(stepMs, undefined, { signal: job.signal });
    }
    return letters.reverse().join('');
  });
  cleanings.push(() => {
    worker.destroy();
  });
  await worker.start();
  return { server: gearmand.name, close };
}
