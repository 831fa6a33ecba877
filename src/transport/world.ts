/** What all job servers of a client share. */
import type { Runtime } from '../runtime.js';
import type { Deadlines } from './deadlines.js';
import type { ServerSettings } from './settings.js';

/** The options that connections and endpoints look at. */
interface TransportSettings extends Pick<ServerSettings, 'connectTimeout' | 'heartbeat' | 'backoff' | 'maxPacketSize'> {
  /** The most requests on one connection without an answer. */
  readonly maxInFlight: number;
}

/** See the head of this file. */
export interface World {
  readonly settings: TransportSettings;
  readonly deadlines: Deadlines;
  readonly runtime: Runtime;
  /** Whether the server, by name, issued the job handle to this client. */
  readonly isIssued: (handle: string, server: string) => boolean;
}
