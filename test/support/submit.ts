/** A process of its own that submits jobs: `tsx submit.ts SERVERS FUNCTION UNIQUE COUNT`; prints the ids, a line each. */
import { GearmanClient } from '../../src/index.js';

const [servers = '', fn = '', unique = '', count = '1'] = process.argv.slice(2);
const client = new GearmanClient(servers);
const jobs = Array.from({ length: Number(count) }, () =>
  client.submitBackground(fn, process.pid.toString(), { unique }),
);
for (const job of await Promise.all(jobs)) console.log(job.id);
