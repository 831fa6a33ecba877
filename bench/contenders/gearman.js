import gearman from 'gearman';
import { byCallback, byJobs } from './outstanding.js';

/** @import { Setting } from './setting.js' */

/** @param {Setting} setting */
export async function connect({ ports: [port], outstanding, workload, ids }) {
  const client = gearman('127.0.0.1', port);
  await new Promise((/** @type {(value: void) => void} */ resolve) => client.connect(resolve));
  // It does not say which job was created; the server answers in order.
  /** @type {() => void} */
  let onCreated = () => {};
  client.on('JOB_CREATED', () => onCreated());
  /**
   * @param {number} index
   * @param {() => void} done
   */
  const begin = (index, done) => {
    onCreated = done;
    client.submitJob('bench', workload, { background: true, unique_id: ids[index % ids.length] });
  };
  return {
    /** @param {number} calls */
    run: (calls) => byCallback(calls, outstanding, begin),
    close: () => client.close(),
  };
}

/**
 * Its users write the packets themselves. As its README has it the worker sleeps behind each job; to grab the next one at once is
 * faster.
 * @param {Setting} setting
 */
export function connectWorker({ ports: [port], outstanding }) {
  const worker = gearman('127.0.0.1', port);
  return {
    ...byJobs((onJob) => {
      worker.on('JOB_ASSIGN_UNIQ', ({ handle, payload }) => {
        onJob();
        worker.sendWorkComplete(handle, payload);
        worker.grabUniqueJob();
      });
      worker.connect(() => {
        worker.addFunction('bench');
        for (let count = 0; count < outstanding; count++) worker.grabUniqueJob();
      });
    }),
    close: () => worker.close(),
  };
}
