/** The seam between the transport, which knows requests, and the client, which knows jobs. */
import type { GearmanError } from '../errors.js';
import type { Batch } from '../protocol/batch.js';
import type { Packet } from '../protocol/incoming.js';
import { Timed } from './deadlines.js';
import type { RoutedJob } from './routing.js';

/** The connection that a request was written to. */
export interface Carrier {
  /** Name of its server. */
  readonly server: string;
  /** Nobody waits any more for the answer to a request that it carries; `isLate`: because it did not come in time. */
  onAbandoned(isLate: boolean): void;
}

/** Why a request will not be answered where it was written. */
export interface Loss {
  /** What happened; names the server. */
  readonly error: GearmanError;
  /** The other side closed the connection, or broke the protocol, or this side had another reason. */
  readonly ending: 'closed' | 'protocol error' | 'destroyed';
}

/**
 * One packet on its way to a server and back. What the caller gives: how to write it, what may answer it, where it may go. What the
 * caller is told: {@link onReply}, {@link onUnsent}, {@link onLost} and {@link onRefused}.
 *
 * A request that is `settled` is a tombstone: not written if it was not yet, and if it was, its place in the order of answers stays.
 */
export abstract class Request extends Timed {
  /** Its place in the order in which a client's calls were made; given by the pool. */
  sequence: number;
  /** Nobody waits for the answer any more. */
  settled: boolean;
  /** Where it was written; none while no byte of it was handed to a socket. */
  carrier: Carrier | undefined;

  /** The only server that it may go to; any if none: then its {@link job} says which one is best. */
  abstract readonly server: string | undefined;
  /** What the pool chooses a server by. */
  abstract readonly job: RoutedJob | undefined;
  /** Whether it rather waits for a server in doubt than go to another one. */
  abstract readonly isSticky: boolean;
  /** Whether the server may leave it unanswered, because it does not know such requests. */
  readonly isOptional: boolean;
  /** Whether it goes to its server also while that is left alone after a failure, and so ends the pause. */
  readonly endsPause: boolean;

  /** Written out, for a constructor of the compiler's would pass its arguments on, which costs a twentieth of a call. */
  constructor() {
    super();
    this.sequence = 0;
    this.settled = false;
    this.carrier = undefined;
    this.isOptional = false;
    this.endsPause = false;
  }

  /** Writes its packet. Called at most once for each connection. */
  abstract write(batch: Batch): void;
  /** Whether a packet of this type can be the answer. */
  abstract isAnsweredBy(type: number): boolean;
  /**
   * The answer has come; tombstones are told, too, for they must check it.
   * @throws GearmanProtocolError when it does not fit: the connection is destroyed and this request is lost with it
   */
  abstract onReply(packet: Packet, server: string): void;
  /** No byte of it was handed to a socket, and the server that it waited for cannot be waited for: go elsewhere. */
  abstract onUnsent(error: GearmanError): void;
  /** It was written and its connection died. */
  abstract onLost(loss: Loss): void;
  /** There is no server that it could go to or wait for. */
  abstract onRefused(error: GearmanError): void;
  /** It was written, and now a call has timed out on that connection. */
  onDoubt(): void {
    // Most requests wait for the verdict.
  }
}
