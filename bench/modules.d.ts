/**
 * As much of the other packages as is used here. They are installed in this folder alone, and the types are checked without them.
 */

declare module 'gearmanode' {
  interface Job {
    on(event: 'created', listener: () => void): void;
    close(): void;
  }
  interface Client {
    submitJob(name: string, payload: Buffer, options: { background: boolean; unique: string | undefined }): Job;
    close(): void;
  }
  interface AssignedJob {
    readonly payload: Buffer;
    workComplete(data: Buffer): void;
  }
  interface Worker {
    addFunction(name: string, handler: (job: AssignedJob) => void): void;
    close(): void;
  }
  const gearmanode: {
    client(options: { host: string; port: number | undefined }): Client;
    worker(options: { host: string; port: number | undefined; withUnique: boolean }): Worker;
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
  interface Client {
    connect(callback: () => void): void;
    on(event: 'JOB_CREATED', listener: (handle: string) => void): void;
    on(event: 'JOB_ASSIGN_UNIQ', listener: (job: { handle: string; payload: Buffer }) => void): void;
    addFunction(name: string): void;
    grabUniqueJob(): void;
    sendWorkComplete(handle: string, data: Buffer): void;
    submitJob(name: string, data: Buffer, options: { background: boolean; unique_id: string | undefined }): void;
    close(): void;
  }
  export default function gearman(host: string, port: number | undefined): Client;
}

declare module 'abraxas' {
  type Callback = (error: Error | null, handle: string) => void;
  interface Client {
    submitJobBg(name: string, options: { uniqueid: string | undefined }, data: Buffer, callback: Callback): void;
    registerWorker(name: string, handler: (task: { payload: Buffer }) => Buffer): void;
    disconnect(): void;
  }
  const abraxas: { Client: { connect(options: { host: string; port: number | undefined; maxJobs?: number }): Client } };
  export default abraxas;
}

declare module 'node-gearman' {
  interface Job {
    on(event: 'end', listener: () => void): void;
  }
  export default class Gearman {
    constructor(host: string, port: number | undefined);
    submitJob(name: string, payload: Buffer, unique: string | undefined): Job;
    registerWorker(name: string, handler: (payload: Buffer, job: { end(data: Buffer): void }) => void): void;
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
