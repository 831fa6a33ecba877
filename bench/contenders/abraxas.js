import abraxas from 'abraxas';
import { byCallback, byJobs } from './outstanding.js';

/** @import { Setting } from './setting.js' */

/** @param {Setting} setting */
export function connect({ ports: [port], outstanding, workload, ids }) {
  const client = abraxas.Client.connect({ host: '127.0.0.1', port });
  /**
   * @param {number} index
   * @param {() => void} done
   */
  const begin = (index, done) => {
    client.submitJobBg('bench', { uniqueid: ids[index % ids.length] }, workload, (error) => {
      if (error) throw error;
      done();
    });
  };
  return {
    /** @param {number} calls */
    run: (calls) => byCallback(calls, outstanding, begin),
    close: () => client.disconnect(),
  };
}

/** @param {Setting} setting */
export function connectWorker({ ports: [port], outstanding }) {
  const client = abraxas.Client.connect({ host: '127.0.0.1', port, maxJobs: outstanding });
  return {
    ...byJobs((onJob) => {
      client.registerWorker('bench', (task) => {
        onJob();
        return task.payload;
      });
    }),
    close: () => client.disconnect(),
  };
}
