/// <reference types="node" preserve="true" />
/** Everything a Node application needs to work with Gearman job servers. */
export { GearmanClient } from './client/client.js';
export type { BackgroundJob } from './client/background.js';
export { GearmanWorker } from './worker/worker.js';
export { JobFailed, JobRetry } from './worker/job.js';
export { uniqueFor } from './client/unique.js';
export {
  ERROR_CODES,
  GearmanArgumentError,
  GearmanConnectionError,
  GearmanError,
  GearmanProtocolError,
  GearmanServerError,
} from './errors.js';
export type { GearmanErrorCode, GearmanErrorDetails } from './errors.js';
export type { ConnectionMessage, JobTrace, StatusTrace, SubmitTrace } from './observe.js';
export type {
  CloseOptions,
  GearmanClientOptions,
  Priority,
  PrioritySubmitOptions,
  RequestOptions,
  SubmitOptions,
  WatchOptions,
} from './client/options.js';
export type { PingResult } from './client/ping.js';
export type { JobStatus, UniqueJobStatus } from './client/question.js';
export type { JobProgress } from './client/watch.js';
export type { Workload } from './protocol/arguments.js';
export type { ServerAddress, Servers } from './transport/address.js';
export type { ServerState, ServerStateName } from './transport/endpoint.js';
export type { RouteFunction, Routing } from './transport/routing.js';
export type { ServerOptions } from './transport/settings.js';
export type { Job } from './worker/job.js';
export type { JobHandler, JobResult } from './worker/lane.js';
export type { FunctionOptions, GearmanWorkerOptions } from './worker/options.js';
export type { JobOutcome } from './worker/task.js';
export type { GearmanWorkerEvents } from './worker/worker.js';
