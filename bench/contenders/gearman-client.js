// This client, as it is published: from dist.
import { byJobs, byPromise } from './outstanding.js';

/** @import { Setting } from './setting.js' */

const dist = process.env['BENCH_DIST'] ?? new URL('../../dist/index.js', import.meta.url).href;
const { GearmanClient, GearmanWorker } = /** @type {typeof import('../../src/index.js')} */ (await import(dist));

/** @param {Setting} setting */
const serversOf = ({ ports }) => ports.map((port) => `127.0.0.1:${port}`);

/** @param {Setting} setting */
const open = (setting) => new GearmanClient({ servers: serversOf(setting) });

/** @param {Setting} setting */
export function connect(setting) {
  const { outstanding, workload, ids } = setting;
  const client = open(setting);
  return {
    /** @param {number} calls */
    run: (calls) =>
      byPromise(calls, outstanding, (index) => client.doBackground('bench', workload, ids[index % ids.length])),
    close: () => client.destroy(),
  };
}

/**
 * Lets the client make the unique IDs.
 * @param {Setting} setting
 */
export function connectWithoutIds(setting) {
  return connect({ ...setting, ids: [''] });
}

/**
 * Asks for the status of one job.
 * @param {Setting} setting
 */
export async function connectForStatus(setting) {
  const client = open(setting);
  const handle = await client.doBackground('bench', setting.workload);
  return {
    /** @param {number} calls */
    run: (calls) => byPromise(calls, setting.outstanding, () => client.jobStatus(handle)),
    close: () => client.destroy(),
  };
}

/** @param {Setting} setting */
export function connectWorker(setting) {
  const worker = new GearmanWorker({ servers: serversOf(setting), concurrency: setting.outstanding });
  return {
    ...byJobs((onJob) => {
      worker.addFunction('bench', (job) => {
        onJob();
        return job.workload;
      });
      void worker.start();
    }),
    close: () => worker.close(),
  };
}
