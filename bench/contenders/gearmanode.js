import gearmanode from 'gearmanode';
import winston from 'winston';
import { byCallback, byJobs } from './outstanding.js';

/** @import { Setting } from './setting.js' */

// It formats log lines also where nobody reads them.
for (const logger of winston.loggers.loggers.values()) logger.log = () => logger;

/** @param {Setting} setting */
export function connect({ ports: [port], outstanding, workload, ids }) {
  const client = gearmanode.client({ host: '127.0.0.1', port });
  /**
   * @param {number} index
   * @param {() => void} done
   */
  const begin = (index, done) => {
    const job = client.submitJob('bench', workload, { background: true, unique: ids[index % ids.length] });
    job.on('created', () => {
      // The client keeps background jobs until then.
      job.close();
      done();
    });
  };
  return {
    /** @param {number} calls */
    run: (calls) => byCallback(calls, outstanding, begin),
    close: () => client.close(),
  };
}

/**
 * One job at a time: it asks for the next when the server has woken it from the sleep behind the last.
 * @param {Setting} setting
 */
export function connectWorker({ ports: [port] }) {
  const worker = gearmanode.worker({ host: '127.0.0.1', port, withUnique: true });
  return {
    ...byJobs((onJob) => {
      worker.addFunction('bench', (job) => {
        onJob();
        job.workComplete(job.payload);
      });
    }),
    close: () => worker.close(),
  };
}
