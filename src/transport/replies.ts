/** Whose packet is this? A job server answers the requests of a connection strictly in order (gearmand 1.1.20). */
import { gearmanError } from '../errors.js';
import type { Packet } from '../protocol/incoming.js';
import { HEADER_BYTES, TYPE, nameOfType } from '../protocol/packet.js';
import { Fifo } from './fifo.js';
import type { Request } from './request.js';

const isAboutAJob: ReadonlySet<number> = new Set([
  TYPE.WORK_STATUS,
  TYPE.WORK_COMPLETE,
  TYPE.WORK_FAIL,
  TYPE.WORK_EXCEPTION,
  TYPE.WORK_DATA,
  TYPE.WORK_WARNING,
]);

/** Harmless when no request is pending: late answers to what nobody waits for, and what is meant for workers. */
const isIgnoredWhenIdle: ReadonlySet<number> = new Set([
  TYPE.ERROR,
  TYPE.ECHO_RES,
  TYPE.OPTION_RES,
  TYPE.NOOP,
  TYPE.NO_JOB,
]);

/** The requests of one connection that were written and not answered, in order. */
export class Replies {
  readonly #pending = new Fifo<Request>();
  readonly #server: string;
  readonly #maxUnsolicitedBytes: number;
  readonly #isIssued: (handle: string) => boolean;
  readonly #isWanted: (packet: Packet) => boolean;
  #unsolicitedBytes = 0;
  /** How many at the head are known to be settled. They stay so: looking for one that is not costs each request one look. */
  #tombstones = 0;

  /**
   * @param maxUnsolicitedBytes - how much may come between two answers that nobody asked for
   * @param isIssued - whether this client got the job handle from the server
   * @param isWanted - takes what answers no request, and says whether it was meant for it
   */
  constructor(
    server: string,
    maxUnsolicitedBytes: number,
    isIssued: (handle: string) => boolean,
    isWanted: (packet: Packet) => boolean = () => false,
  ) {
    this.#server = server;
    this.#maxUnsolicitedBytes = maxUnsolicitedBytes;
    this.#isIssued = isIssued;
    this.#isWanted = isWanted;
  }

  /** Number of requests without an answer, tombstones included. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Whether anybody still waits for one of the answers. */
  get isAwaited(): boolean {
    while (this.#pending.at(this.#tombstones)?.settled === true) this.#tombstones++;
    return this.#tombstones < this.pending;
  }

  /** Whether the server must answer one of them, whether anybody waits for it or not. */
  get isOwed(): boolean {
    let index = 0;
    while (this.#pending.at(index)?.isOptional === true) index++;
    return index < this.pending;
  }

  /** The request was written. */
  expect(request: Request): void {
    this.#pending.push(request);
  }

  /**
   * Gives a packet to the request that it answers, or ignores it.
   * @returns whether it was an answer
   * @throws GearmanProtocolError `GEARMAN_UNEXPECTED_PACKET` and what a request throws about its answer
   */
  take(packet: Packet): boolean {
    const request = this.#requestFor(packet.type);
    if (request === undefined) {
      if (!this.#isWanted(packet)) this.#ignore(packet);
      return false;
    }
    this.#unsolicitedBytes = 0;
    // Told before it leaves the queue: an answer that does not fit leaves it among those that are lost.
    request.onReply(packet, this.#server);
    this.#shift();
    return true;
  }

  /** The server may be dead: see {@link Request.onDoubt}. */
  tellDoubt(): void {
    for (const request of this.#pending) if (!request.settled) request.onDoubt();
  }

  /** All that was not answered, in order; the connection is dead. */
  takeUnanswered(): Request[] {
    return this.#pending.takeAll();
  }

  #requestFor(type: number): Request | undefined {
    const first = this.#pending.at(0);
    if (first === undefined || first.isAnsweredBy(type)) return first;
    const second = this.#pending.at(1);
    if (!first.isOptional || second?.isAnsweredBy(type) !== true) return undefined;
    this.#shift();
    return second;
  }

  #shift(): void {
    this.#pending.shift();
    if (this.#tombstones > 0) this.#tombstones--;
  }

  #ignore(packet: Packet): void {
    const { type } = packet;
    packet.split();
    const isIgnored =
      isAboutAJob.has(type) || type === TYPE.NOOP || (this.pending === 0 && isIgnoredWhenIdle.has(type));
    if (!isIgnored) {
      const instead = this.pending === 0 ? 'when nothing was asked' : 'as the answer to another request';
      throw gearmanError('GEARMAN_UNEXPECTED_PACKET', `${nameOfType(type)} came ${instead}.`);
    }
    // What a job of ours says may honestly be gigabytes, also when nobody waits for it any more.
    if (isAboutAJob.has(type) && this.#isIssued(packet.latin1(0))) return;
    this.#unsolicitedBytes += HEADER_BYTES + packet.length;
    if (this.#unsolicitedBytes <= this.#maxUnsolicitedBytes) return;
    const limit = String(this.#maxUnsolicitedBytes);
    const message = `More than ${limit} bytes (the option maxPacketSize) came that nobody asked for.`;
    throw gearmanError('GEARMAN_DATA_TOO_LARGE', message);
  }
}
