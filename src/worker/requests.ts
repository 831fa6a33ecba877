/** What a worker asks a job server, and what it makes of the answers. */
import type { Batch } from '../protocol/batch.js';
import type { Packet } from '../protocol/incoming.js';
import { TYPE } from '../protocol/packet.js';
import { Request } from '../transport/request.js';

/** A job as the server assigned it. */
export interface Assignment {
  readonly handle: string;
  /** Function name as on the wire. */
  readonly function: string;
  readonly unique: string;
  readonly reducer: string | undefined;
  readonly workload: Buffer;
}

type Grabbed = (assignment: Assignment | undefined) => void;

const ASSIGNS: readonly number[] = [TYPE.JOB_ASSIGN, TYPE.JOB_ASSIGN_UNIQ, TYPE.JOB_ASSIGN_ALL];

/** What is common to a worker's requests: they have no deadline of their own, and go nowhere else. */
abstract class LinkRequest extends Request {
  override readonly server = undefined;
  override readonly job = undefined;
  override readonly isSticky = true;

  override onUnsent(): void {}
  override onLost(): void {}
  override onRefused(): void {}
  override onDue(): void {}
}

/** GRAB_JOB: never answered by an ERROR, which may come unasked on a worker's connection. */
export class Grab extends LinkRequest {
  readonly #type: number;
  readonly #onGrabbed: Grabbed;

  constructor(type: number, onGrabbed: Grabbed) {
    super();
    this.#type = type;
    this.#onGrabbed = onGrabbed;
  }

  override write(batch: Batch): void {
    batch.add(this.#type, []);
  }

  override isAnsweredBy(type: number): boolean {
    return type === TYPE.NO_JOB || ASSIGNS.includes(type);
  }

  override onReply(packet: Packet): void {
    this.#onGrabbed(packet.type === TYPE.NO_JOB ? undefined : readAssignment(packet));
  }
}

/** An ECHO: answered when the server has done all that was sent before. */
export class Barrier extends LinkRequest {
  readonly #onPassed: () => void;

  constructor(onPassed: () => void) {
    super();
    this.#onPassed = onPassed;
  }

  override write(batch: Batch): void {
    batch.add(TYPE.ECHO_REQ, []);
  }

  override isAnsweredBy(type: number): boolean {
    return type === TYPE.ECHO_RES;
  }

  override onReply(): void {
    this.#onPassed();
  }
}

function readAssignment(packet: Packet): Assignment {
  return {
    handle: packet.latin1(0),
    function: packet.utf8(1),
    unique: packet.type === TYPE.JOB_ASSIGN ? '' : packet.utf8(2),
    reducer: packet.type === TYPE.JOB_ASSIGN_ALL && packet.utf8(3) !== '' ? packet.utf8(3) : undefined,
    workload: packet.data,
  };
}
