/** What a contender is told. */
export interface Setting {
  /** Ports of the job servers on 127.0.0.1; all but a pool have one. */
  readonly ports: readonly number[];
  /** How many calls are to be outstanding at any time. */
  readonly outstanding: number;
  readonly workload: Buffer;
  /** Unique IDs, to be used round and round. */
  readonly ids: readonly string[];
}

/** A client that is connected. */
export interface Contender {
  /** Makes so many calls; resolves with the last answer. */
  run(calls: number): Promise<void>;
  close(): unknown;
}

/** What each contender's module exports. */
export interface ContenderModule {
  connect(setting: Setting): Contender | Promise<Contender>;
}
