// It gives out no handle of a background job, so that one cannot know when that was created: its jobs run in the foreground.
import Gearman from 'node-gearman';
import { byCallback, byJobs } from './outstanding.js';

/** @import { Setting } from './setting.js' */

/** @param {Setting} setting */
export function connect({ ports: [port], outstanding, workload, ids }) {
  const client = new Gearman('127.0.0.1', port);
  /**
   * @param {number} index
   * @param {() => void} done
   */
  const begin = (index, done) => {
    client.submitJob('bench', workload, ids[index % ids.length]).on('end', done);
  };
  return {
    /** @param {number} calls */
    run: (calls) => byCallback(calls, outstanding, begin),
    close: () => client.close(),
  };
}

/**
 * One job at a time.
 * @param {Setting} setting
 */
export function connectWorker({ ports: [port] }) {
  const gearman = new Gearman('127.0.0.1', port);
  return {
    ...byJobs((onJob) => {
      gearman.registerWorker('bench', (payload, job) => {
        onJob();
        job.end(payload);
      });
    }),
    close: () => gearman.close(),
  };
}
