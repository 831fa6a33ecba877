/**
 * Runs a job in the background and polls its status, as the monitor of PHP's manual does.
 *
 * Uses the job servers in GEARMAN_SERVERS, where a worker must know `reverse`. Without them it starts a gearmand of its own and a small
 * worker that takes a step a second. INTERVAL is the number of milliseconds between two questions, 3000 by default.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { GearmanClient } from 'gearman-client';
import { Gearmand } from '../test/support/gearmand.js';
import { SteppedWorker } from '../test/support/stepped-worker.js';

async function monitor(servers: string, interval: number): Promise<void> {
  const client = new GearmanClient(servers);
  const handle = await client.doBackground('reverse', 'this is a test');
  for (;;) {
    await sleep(interval);
    const [known, running, numerator, denominator] = await client.jobStatus(handle);
    console.log(`Running: ${running}, numerator: ${numerator}, denominator: ${denominator}`);
    if (!known) break;
  }
  console.log('done!');
  await client.close();
}

/** Reverses one text, a letter a step. */
async function work(worker: SteppedWorker, stepMs: number): Promise<void> {
  const job = await worker.grab();
  const letters = job.workload.toString().split('');
  for (const index of letters.keys()) {
    // The first step is at once, so that the monitor always looks in the middle between two.
    await sleep(index === 0 ? stepMs / 2 : stepMs);
    worker.status(job, index + 1, letters.length);
  }
  worker.complete(job, letters.reverse().join(''));
}

async function main(): Promise<void> {
  const interval = Number(process.env['INTERVAL'] ?? 3000);
  const { GEARMAN_SERVERS: servers } = process.env;
  if (servers !== undefined) {
    await monitor(servers, interval);
    return;
  }
  if (spawnSync('gearmand', ['--version']).error !== undefined) {
    console.error(
      'This needs a job server. Install one (Debian: apt-get install gearman-job-server), or set GEARMAN_SERVERS.',
    );
    process.exitCode = 1;
    return;
  }
  const cleaning: (() => void | Promise<void>)[] = [];
  const gearmand = await Gearmand.start({ after: (clean) => cleaning.push(clean) });
  const worker = new SteppedWorker(gearmand.port, 'reverse');
  try {
    await Promise.all([monitor(gearmand.name, interval), work(worker, interval / 3)]);
  } finally {
    worker.close();
    for (const clean of cleaning) await clean();
  }
}

await main();
