/** The other Node clients and workers, as far as they go, in one and the same shape. */
import type { TestContext } from 'node:test';
import abraxas from 'abraxas';
import gearman from 'gearman';
import gearmanode from 'gearmanode';
import NodeGearman from 'node-gearman';
import winston from 'winston';

/** How a job is: whether it is known, and whether it runs. */
type Status = readonly [known: boolean, running: boolean];

/** A connected client. */
interface OtherClient {
  /** Does a job; resolves with its result, which stands behind the parts that came before. */
  readonly run: (fn: string, workload: string, unique?: string) => Promise<string>;
  /** Submits a job in the background; resolves with its handle. */
  readonly background?: (fn: string, workload: string) => Promise<string>;
  readonly status?: (handle: string) => Promise<Status>;
  /** The functions that the job server knows. */
  readonly functions?: () => Promise<string[]>;
}

/** Somebody else's package. What it opens is closed behind the test. */
export interface Other {
  readonly connect: (port: number, t: TestContext) => Promise<OtherClient>;
  readonly work: (port: number, fn: string, handler: (workload: string) => string, t: TestContext) => Promise<void>;
}

const host = '127.0.0.1';

// It writes log lines of what it is told.
for (const logger of winston.loggers.loggers.values()) logger.log = () => logger;

function closedBehind<Closed extends { close(): void }>(t: TestContext, closed: Closed): Closed {
  t.after(() => {
    closed.close();
  });
  return closed;
}

const ofGearmanode: Other = {
  connect(port, t) {
    const client = closedBehind(t, gearmanode.client({ host, port }));
    const jobs = new Map<string, ReturnType<typeof client.submitJob>>();
    return Promise.resolve({
      run: (fn, workload, unique) =>
        new Promise((resolve, reject) => {
          const job = client.submitJob(fn, workload, { background: false, unique });
          let parts = '';
          job.on('workData', (data) => (parts += data.toString()));
          job.on('complete', () => {
            resolve(parts + job.response.toString());
          });
          job.on('failed', () => {
            reject(new Error('failed'));
          });
        }),
      background: (fn, workload) =>
        new Promise((resolve) => {
          const job = client.submitJob(fn, workload, { background: true, unique: undefined });
          job.on('created', () => {
            jobs.set(job.handle, job);
            resolve(job.handle);
          });
        }),
      status: (handle) =>
        new Promise((resolve, reject) => {
          const job = jobs.get(handle);
          if (job === undefined) {
            reject(new Error('it asks for jobs of its own'));
            return;
          }
          job.once('status', ({ known, running }) => {
            resolve([known, running]);
          });
          job.getStatus();
        }),
    });
  },
  work(port, fn, handler, t) {
    const worker = closedBehind(t, gearmanode.worker({ host, port }));
    worker.addFunction(fn, (job) => {
      job.workComplete(handler(job.payload.toString()));
    });
    return Promise.resolve();
  },
};

const ofGearman: Other = {
  async connect(port, t) {
    const client = closedBehind(t, gearman(host, port));
    await new Promise<void>((resolve) => {
      client.connect(resolve);
    });
    return {
      run: (fn, workload, unique) =>
        new Promise((resolve, reject) => {
          let parts = '';
          client.on('WORK_DATA', ({ payload }) => (parts += payload.toString()));
          client.on('WORK_COMPLETE', ({ payload }) => {
            resolve(parts + payload.toString());
          });
          client.on('WORK_FAIL', () => {
            reject(new Error('failed'));
          });
          client.submitJob(fn, workload, { background: false, unique_id: unique, encoding: 'utf8' });
        }),
      background: (fn, workload) =>
        new Promise((resolve) => {
          client.on('JOB_CREATED', resolve);
          client.submitJob(fn, workload, { background: true, unique_id: undefined, encoding: 'utf8' });
        }),
      status: (handle) =>
        new Promise((resolve) => {
          client.on('STATUS_RES', ({ known, running }) => {
            resolve([Number(known) === 1, Number(running) === 1]);
          });
          client.getJobStatus(handle);
        }),
      functions: () =>
        new Promise((resolve) => {
          client.adminStatus((functions) => {
            resolve(Object.keys(functions));
          });
        }),
    };
  },
  work(port, fn, handler, t) {
    const worker = closedBehind(t, gearman(host, port));
    // Its users write the packets themselves.
    worker.on('JOB_ASSIGN', ({ handle, payload }) => {
      worker.sendWorkComplete(handle, handler(payload.toString()));
      worker.preSleep();
    });
    worker.on('NOOP', () => {
      worker.grabJob();
    });
    return new Promise((resolve) => {
      worker.connect(() => {
        worker.addFunction(fn);
        worker.preSleep();
        resolve();
      });
    });
  },
};

const ofAbraxas: Other = {
  connect(port, t) {
    const client = abraxas.Client.connect({ host, port, defaultEncoding: 'utf8' });
    t.after(() => {
      client.disconnect();
    });
    return Promise.resolve({
      // Of nothing it makes an empty array.
      run: async (fn, workload, unique) => String(await client.submitJob(fn, { uniqueid: unique }, workload)),
      background: async (fn, workload) => await client.submitJobBg(fn, {}, workload),
      status: (handle) =>
        new Promise((resolve, reject) => {
          client.getStatus(handle, (error, status) => {
            if (error === null) resolve([status.known > 0, status.running > 0]);
            else reject(error);
          });
        }),
    });
  },
  work(port, fn, handler, t) {
    const client = abraxas.Client.connect({ host, port, defaultEncoding: 'utf8' });
    t.after(() => {
      client.disconnect();
    });
    client.registerWorker(fn, ({ payload }) => handler(String(payload)));
    return Promise.resolve();
  },
};

const ofNodeGearman: Other = {
  connect(port, t) {
    const client = closedBehind(t, new NodeGearman(host, port));
    return Promise.resolve({
      run: (fn, workload, unique) =>
        new Promise((resolve, reject) => {
          const parts: Buffer[] = [];
          const job = client.submitJob(fn, workload, unique);
          job.on('data', (data) => parts.push(data));
          job.on('end', () => {
            resolve(Buffer.concat(parts).toString());
          });
          job.on('error', reject);
        }),
    });
  },
  work(port, fn, handler, t) {
    const worker = closedBehind(t, new NodeGearman(host, port));
    worker.registerWorker(fn, (payload, job) => {
      job.end(handler(payload === undefined ? '' : payload.toString()));
    });
    return Promise.resolve();
  },
};

/** By the names of their packages. */
export const OTHERS: Readonly<Record<string, Other>> = {
  gearmanode: ofGearmanode,
  gearman: ofGearman,
  abraxas: ofAbraxas,
  'node-gearman': ofNodeGearman,
};
