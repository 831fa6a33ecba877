/** What can be watched from outside: `debug` namespaces and `node:diagnostics_channel`. Nothing here ever sees a workload. */
import { channel, tracingChannel, type Channel, type TracingChannel } from 'node:diagnostics_channel';
import createDebug from 'debug';

/** Prints a line when its namespace is switched on. */
export type Log = (format: string, ...values: unknown[]) => void;

/** Printed with `DEBUG=gearman:*`, or one of `gearman:client`, `gearman:pool`, `gearman:connection`, `gearman:worker`, `gearman:server`. */
export const debug: Readonly<Record<'client' | 'pool' | 'connection' | 'worker' | 'server', Log>> = {
  client: createDebug('gearman:client'),
  pool: createDebug('gearman:pool'),
  connection: createDebug('gearman:connection'),
  worker: createDebug('gearman:worker'),
  server: createDebug('gearman:server'),
};

/** Context of the tracing channel `gearman:submit`: one message set a submission. */
export interface SubmitTrace {
  /** Function name, as passed in. */
  function: string;
  /** Unique ID, given or generated. */
  unique: string;
  /** The job handle, from `asyncStart` on. */
  handle?: string;
  /** Name of the server that has the job, from `asyncStart` on. */
  server?: string;
}

/** Context of the tracing channel `gearman:status`: one message set a question. */
export interface StatusTrace {
  /** The handle, id or unique ID that was asked for. */
  key: string;
}

/** Context of the tracing channel `gearman:job`: one message set a job that a worker runs. */
export interface JobTrace {
  /** Function name, as it was registered. */
  function: string;
  /** The job handle. */
  handle: string;
  /** Unique ID. */
  unique: string;
  /** Name of the server that the job came from. */
  server: string;
}

/** Message of the channel `gearman:connection`: a job server changed its state as a client sees it. Workers have events instead. */
export interface ConnectionMessage {
  /** Name of the job server. */
  server: string;
  /** The state that it has now, as in `client.servers`. */
  state: string;
  /** Why, where something failed. */
  error: Error | undefined;
}

const submitTrace = tracingChannel<unknown, SubmitTrace>('gearman:submit');
const statusTrace = tracingChannel<unknown, StatusTrace>('gearman:status');
const jobTrace = tracingChannel<unknown, JobTrace>('gearman:job');
const connectionChannel: Channel<unknown, unknown> = channel('gearman:connection');

/** `hasSubscribers` of the tracing channel itself does not exist on Node 20 and Bun; that of its parts does everywhere. */
function isTraced<Context extends object>({
  start,
  end,
  asyncStart,
  asyncEnd,
  error,
}: TracingChannel<unknown, Context>): boolean {
  const isAround = start.hasSubscribers || end.hasSubscribers || error.hasSubscribers;
  return isAround || asyncStart.hasSubscribers || asyncEnd.hasSubscribers;
}

/** Whether anybody listens to the tracing channel `gearman:submit`. */
export function isSubmitTraced(): boolean {
  return isTraced(submitTrace);
}

/** Runs a submission, with the tracing channel `gearman:submit` around it; it completes the context. */
export function traceSubmit<Result>(
  context: SubmitTrace,
  run: (context: SubmitTrace) => Promise<Result>,
): Promise<Result> {
  return submitTrace.tracePromise(() => run(context), context);
}

/** Runs a question, with the tracing channel `gearman:status` around it if anybody listens. */
export function traceStatus<Result>(key: string, run: () => Promise<Result>): Promise<Result> {
  return isTraced(statusTrace) ? statusTrace.tracePromise(run, { key }) : run();
}

/** Runs a worker's job, with the tracing channel `gearman:job` around it if anybody listens. */
export function traceJob<Result>(context: () => JobTrace, run: () => Promise<Result>): Promise<Result> {
  return isTraced(jobTrace) ? jobTrace.tracePromise(run, context()) : run();
}

/** Tells the channel `gearman:connection`. */
export function publishState(message: ConnectionMessage): void {
  if (connectionChannel.hasSubscribers) connectionChannel.publish(message);
}
