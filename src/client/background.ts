/** A background job that a server has acknowledged. */
import { GearmanServerError } from '../errors.js';
import { idOf } from './handles.js';
import type { RequestOptions, WatchOptions } from './options.js';
import type { JobStatus, UniqueJobStatus } from './question.js';
import type { JobProgress } from './watch.js';

/** How a background job asks for itself. */
export interface JobAsker {
  byHandle(id: string, options: RequestOptions): Promise<JobStatus>;
  byUnique(unique: string, server: string, options: RequestOptions): Promise<UniqueJobStatus>;
  watch(ask: (options: RequestOptions) => Promise<JobStatus>, options: WatchOptions): AsyncIterable<JobProgress>;
}

/** What {@link BackgroundJob} is made of. */
export interface BackgroundJobFields {
  readonly handle: string;
  readonly server: string;
  readonly function: string;
  readonly unique: string;
  /** Whether no other job has this unique ID. */
  readonly isUniqueGenerated: boolean;
}

/** A background job: what to store to find it again, and how it is. */
export class BackgroundJob {
  /** What to store: `name//handle`, `host:port//handle` by default. `jobStatus` and `watch` take it, in any process. */
  readonly id: string;
  /** The job handle, exactly as the server sent it. */
  readonly handle: string;
  /** Name of the job server that has the job. */
  readonly server: string;
  /** Function name, as it was passed in. */
  readonly function: string;
  /** Unique ID, given or generated. */
  readonly unique: string;
  readonly #asker: JobAsker;
  /** A job handle may mean another job after a restart of the server; a unique ID that was made for this job cannot. */
  #asksByUnique: boolean;

  /** @internal */
  constructor(fields: BackgroundJobFields, asker: JobAsker) {
    this.id = idOf(fields.server, fields.handle);
    this.handle = fields.handle;
    this.server = fields.server;
    this.function = fields.function;
    this.unique = fields.unique;
    this.#asksByUnique = fields.isUniqueGenerated;
    this.#asker = asker;
  }

  /**
   * How the job is, as its own server knows it.
   * @throws GearmanError as `jobStatus` does
   */
  async status(options: Pick<RequestOptions, 'timeout' | 'signal'> = {}): Promise<JobStatus> {
    if (this.#asksByUnique) {
      try {
        const [known, running, numerator, denominator] = await this.#asker.byUnique(this.unique, this.server, options);
        return [known, running, numerator, denominator];
      } catch (error) {
        // A server that does not know GET_STATUS_UNIQUE says so.
        if (!(error instanceof GearmanServerError)) throw error;
        this.#asksByUnique = false;
      }
    }
    return this.#asker.byHandle(this.id, options);
  }

  /** Follows the job; see `GearmanClient.watch`. */
  watch(options: WatchOptions = {}): AsyncIterable<JobProgress> {
    return this.#asker.watch((limits) => this.status(limits), options);
  }
}
