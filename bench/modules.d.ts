/**
 * As much of the other packages as is used here. They are installed in this folder alone, and the types are checked without them.
 */

declare module 'gearmanode' {
  interface JobStatus {
    readonly known: boolean;
    readonly running: boolean;
  }
  interface Job {
    readonly handle: string;
    readonly response: Buffer;
    on(event: 'created' | 'complete' | 'failed', listener: () => void): void;
    on(event: 'workData', listener: (data: Buffer) => void): void;
    once(event: 'status', listener: (status: JobStatus) => void): void;
    getStatus(): void;
    close(): void;
  }
  interface Client {
    submitJob(
      name: string,
      payload: Buffer | string,
      options: { background: boolean; unique: string | undefined },
    ): Job;
    close(): void;
  }
  interface AssignedJob {
    readonly payload: Buffer;
    workComplete(data: Buffer | string): void;
  }
  interface Worker {
    addFunction(name: string, handler: (job: AssignedJob) => void): void;
    close(): void;
  }
  const gearmanode: {
    client(options: { host: string; port: number | undefined }): Client;
    worker(options: { host: string; port: number | undefined; withUnique?: boolean }): Worker;
  };
  export default gearmanode;
}

declare module 'winston' {
  interface Logger {
    log: (...args: unknown[]) => Logger;
  }
  const winston: { loggers: { loggers: Map<string, Logger> } };
  export default winston;
}

declare module 'gearman' {
  interface JobPart {
    readonly handle: string;
    readonly payload: Buffer;
  }
  interface JobStatus {
    readonly known: string;
    readonly running: string;
  }
  interface SubmitOptions {
    background: boolean;
    unique_id: string | undefined;
    encoding?: BufferEncoding;
  }
  interface Client {
    connect(callback: () => void): void;
    on(event: 'JOB_CREATED', listener: (handle: string) => void): void;
    on(
      event: 'JOB_ASSIGN' | 'JOB_ASSIGN_UNIQ' | 'WORK_DATA' | 'WORK_COMPLETE',
      listener: (part: JobPart) => void,
    ): void;
    on(event: 'STATUS_RES', listener: (status: JobStatus) => void): void;
    on(event: 'NOOP' | 'WORK_FAIL', listener: () => void): void;
    addFunction(name: string): void;
    preSleep(): void;
    grabJob(): void;
    grabUniqueJob(): void;
    sendWorkComplete(handle: string, data: Buffer | string): void;
    submitJob(name: string, data: Buffer | string, options: SubmitOptions): void;
    getJobStatus(handle: string): void;
    adminStatus(callback: (functions: Record<string, unknown>) => void): void;
    close(): void;
  }
  export default function gearman(host: string, port: number | undefined): Client;
}

declare module 'abraxas' {
  type Callback = (error: Error | null, handle: string) => void;
  interface Status {
    readonly known: number;
    readonly running: number;
  }
  interface Options {
    uniqueid?: string | undefined;
  }
  interface Client {
    submitJob(name: string, options: Options, data: string): PromiseLike<unknown>;
    submitJobBg(name: string, options: Options, data: string): PromiseLike<string>;
    submitJobBg(name: string, options: Options, data: Buffer, callback: Callback): void;
    getStatus(handle: string, callback: (error: Error | null, status: Status) => void): void;
    registerWorker<Payload>(name: string, handler: (task: { payload: Payload }) => Payload): void;
    disconnect(): void;
  }
  interface ConnectOptions {
    host: string;
    port: number | undefined;
    maxJobs?: number;
    defaultEncoding?: BufferEncoding;
  }
  const abraxas: { Client: { connect(options: ConnectOptions): Client } };
  export default abraxas;
}

declare module 'node-gearman' {
  interface Job {
    on(event: 'data', listener: (data: Buffer) => void): void;
    on(event: 'end', listener: () => void): void;
    on(event: 'error', listener: (error: Error) => void): void;
  }
  interface AssignedJob {
    end(data: Buffer | string | undefined): void;
  }
  export default class Gearman {
    constructor(host: string, port: number | undefined);
    submitJob(name: string, payload: Buffer | string, unique: string | undefined): Job;
    registerWorker(name: string, handler: (payload: Buffer | undefined, job: AssignedJob) => void): void;
    close(): void;
  }
}

declare module 'tinybench' {
  interface Task {
    readonly name: string;
    readonly result: { readonly latency: { readonly p50: number } };
  }
  export class Bench {
    constructor(options: { time: number; warmupTime: number });
    readonly tasks: readonly Task[];
    add(name: string, run: () => void): this;
    run(): Promise<void>;
  }
}

declare module 'vega-lite' {
  export function compile(spec: object): { spec: object };
}

declare module 'vega' {
  export function parse(spec: object): object;
  export class View {
    constructor(runtime: object, options: { renderer: 'none' });
    toSVG(): Promise<string>;
  }
}
