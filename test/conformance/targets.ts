/** The job servers that the suite examines. */
import { JobServer } from '../../src/server/server.js';
import { Gearmand, type Cleaner } from '../support/gearmand.js';
import { GEARMAND_1_1_20, type Difference } from './differences.js';

/** How a job server is started. */
export interface ServerOptions {
  /** How many workers may be lost over a job; without end by default. */
  readonly jobRetries?: number;
  /** Whether the functions of a worker take turns. */
  readonly roundRobin?: boolean;
}

/** A kind of job server. */
export interface Target {
  readonly name: string;
  /** Starts one that `cleaner` ends; resolves with its port. */
  start(options: ServerOptions, cleaner: Cleaner): Promise<number>;
  /** Whether it does that, against what the suite demands. */
  differs(difference: Difference): boolean;
}

/** The installed gearmand, which is 1.1.20 as in Debian. */
export const gearmand: Target = {
  name: 'gearmand 1.1.20',
  async start({ jobRetries, roundRobin = false }, cleaner) {
    const args = roundRobin ? ['--round-robin'] : [];
    if (jobRetries !== undefined) args.push(`--job-retries=${jobRetries}`);
    const { port } = await Gearmand.start(cleaner, ...args);
    return port;
  },
  differs: (difference) => Object.hasOwn(GEARMAND_1_1_20, difference),
};

/** The embedded job server of this package. */
export const jobServer: Target = {
  name: 'JobServer',
  async start(options, cleaner) {
    const server = await new JobServer(options).listen({ port: 0 });
    cleaner.after(() => server.close());
    return server.address.port;
  },
  differs: () => false,
};
