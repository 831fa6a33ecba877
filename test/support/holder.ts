/**
 * A process of its own whose worker holds jobs until SIGTERM: `tsx holder.ts SERVER COUNT`; prints their workloads, a line each. Then
 * they end, it takes no more, and it must end by itself.
 */
import { once } from 'node:events';
import { GearmanWorker } from '../../src/index.js';

const [servers = '', count = '1'] = process.argv.slice(2);
const worker = new GearmanWorker({ servers, concurrency: Number(count) });
const terminated = once(process, 'SIGTERM');
worker.addFunction('f', async (job) => {
  console.log(job.text());
  await terminated;
  return `${job.text()} at the end`;
});
await worker.start();
await terminated;
await worker.close({ timeout: 30_000 });
