/**
 * Runs a job in the background and polls its status, as the monitor of PHP's manual does.
 *
 * It uses the job servers in GEARMAN_SERVERS, where a worker must know the function `reverse`; without them, a job server and a worker
 * of its own. INTERVAL is the number of milliseconds between two questions, 3000 by default.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GearmanClient } from 'gearman-client';
import { startDemo } from './demo.js';

const { GEARMAN_SERVERS = '', INTERVAL = '3000' } = process.env;
const interval = Number(INTERVAL);

// The worker takes three steps from one question to the next.
const demo = GEARMAN_SERVERS === '' ? await startDemo(interval / 3) : undefined;
const client = new GearmanClient(demo?.server ?? GEARMAN_SERVERS);
try {
  const handle = await client.doBackground('reverse', 'this is a test');
  for (;;) {
    await sleep(interval);
    const [known, running, numerator, denominator] = await client.jobStatus(handle);
    console.log(`Running: ${running}, numerator: ${numerator}, denominator: ${denominator}`);
    if (!known) break;
  }
  console.log('done!');
} finally {
  await client.close();
  await demo?.close();
}
