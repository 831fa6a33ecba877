/** What all job servers of a client share. */
import type { Runtime } from '../runtime.js';
import type { Backoff } from './backoff.js';
import type { Deadlines } from './deadlines.js';

/** The options that the transport looks at. */
interface TransportSettings {
  /** How long connecting may take, and then the first answer, in milliseconds. */
  readonly connectTimeout: number;
  /** Silence after which a sign of life is asked for, and how long that may take, in milliseconds. */
  readonly heartbeat: number;
  readonly backoff: Backoff;
  /** The most requests on one connection without an answer. */
  readonly maxInFlight: number;
  /** The most bytes of data in a packet that comes in. */
  readonly maxPacketSize: number;
}

/** See the head of this file. */
export interface World {
  readonly settings: TransportSettings;
  readonly deadlines: Deadlines;
  readonly runtime: Runtime;
  /** Whether the server, by name, issued the job handle to this client. */
  readonly isIssued: (handle: string, server: string) => boolean;
}
