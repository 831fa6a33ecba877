/** What a contender is told. */
export interface Setting {
  /** Ports of the job servers on 127.0.0.1; all but a pool have one. */
  readonly ports: readonly number[];
  /** How many calls are to be outstanding at any time; how many jobs a worker may run at a time. */
  readonly outstanding: number;
  readonly workload: Buffer;
  /** Unique IDs, to be used round and round. */
  readonly ids: readonly string[];
}

/** A client that is connected, or a worker. */
export interface Contender {
  /** Makes so many calls, and resolves with the last answer; or runs so many jobs, and resolves when the last one's handler is called. */
  run(calls: number): Promise<void>;
  /** For workers: runs the jobs that are queued, or as many as it can in the time; resolves with their number. */
  drain?(most: number, seconds: number): Promise<number>;
  close(): unknown;
}

/** What each contender's module exports. */
export interface ContenderModule {
  connect(setting: Setting): Contender | Promise<Contender>;
}
