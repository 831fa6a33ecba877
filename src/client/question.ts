/** The question to one server how a job is. */
import { gearmanError, type GearmanError } from '../errors.js';
import type { Batch } from '../protocol/batch.js';
import type { Packet } from '../protocol/incoming.js';
import { TYPE, nameOfType } from '../protocol/packet.js';
import { Request, type Loss } from '../transport/request.js';

/** `[known, running, numerator, denominator]`: what the server says about a job; all `false` and 0 for one that it does not know. */
export type JobStatus = [known: boolean, running: boolean, numerator: number, denominator: number];

/** A {@link JobStatus}, and the number of clients that wait for the job's result. */
export type UniqueJobStatus = [...JobStatus, waitingClients: number];

/** What is asked, and whom. */
export interface Subject {
  /** GET_STATUS or GET_STATUS_UNIQUE. */
  readonly type: number;
  /** A handle or a unique ID. */
  readonly key: string;
  /** Names of the servers. */
  readonly servers: readonly string[];
  /** Ask until the deadline, rather than once each while they are up. */
  readonly isPinned: boolean;
  /** Any server that knows it may mean another job: several issued this handle. */
  readonly isAmbiguous: boolean;
}

/** Who waits for the answers. */
export interface Asker {
  readonly subject: Subject;
  /** An answer came, or the server is in doubt. */
  reconsider(): void;
  /** The question did not get to its server. */
  onNotAsked(question: Question, error: GearmanError): void;
  /** Its answer did not get back. */
  onNotAnswered(question: Question, loss: Loss): void;
  /** The server answered ERROR. */
  onRefusal(question: Question, serverCode: string, text: string): void;
  /** There is no server to ask any more. */
  onImpossible(question: Question, error: GearmanError): void;
}

/** See the head of this file. */
export class Question extends Request {
  override readonly server: string;
  override readonly job = undefined;
  override readonly isSticky: boolean;
  status: UniqueJobStatus | undefined;
  readonly #asker: Asker;

  constructor(asker: Asker, server: string) {
    super();
    this.#asker = asker;
    this.server = server;
    this.isSticky = asker.subject.isPinned;
  }

  override write(batch: Batch): void {
    batch.add(this.#asker.subject.type, [this.#asker.subject.key]);
  }

  override isAnsweredBy(type: number): boolean {
    const answer = this.#asker.subject.type === TYPE.GET_STATUS ? TYPE.STATUS_RES : TYPE.STATUS_RES_UNIQUE;
    return type === answer || type === TYPE.ERROR;
  }

  override onReply(packet: Packet): void {
    if (packet.type === TYPE.ERROR) {
      const serverCode = packet.latin1(0);
      if (!this.settled) this.#asker.onRefusal(this, serverCode, packet.utf8(1));
      return;
    }
    const status = readStatus(packet, this.#asker.subject.key);
    if (this.settled) return;
    this.settled = true;
    this.status = status;
    this.#asker.reconsider();
  }

  override onUnsent(error: GearmanError): void {
    this.#asker.onNotAsked(this, error);
  }

  override onLost(loss: Loss): void {
    if (!this.settled) this.#asker.onNotAnswered(this, loss);
  }

  /** Nobody waits for the answer any more; `isLate`: because it did not come in time. */
  abandon(isLate: boolean): void {
    if (this.settled) return;
    this.settled = true;
    this.carrier?.onAbandoned(isLate);
  }

  override onRefused(error: GearmanError): void {
    this.#asker.onImpossible(this, error);
  }

  override onDoubt(): void {
    this.#asker.reconsider();
  }

  override onDue(): void {
    // The asker keeps the time.
  }
}

/** Reads an answer and checks that it is one to this question. */
function readStatus(packet: Packet, key: string): UniqueJobStatus {
  const isUnique = packet.type === TYPE.STATUS_RES_UNIQUE;
  const about = isUnique ? packet.utf8(0) : packet.latin1(0);
  if (about !== key) throw unexpected(packet, 'is about another job');
  const flag = (index: number): boolean => {
    const text = packet.latin1(index);
    if (text !== '0' && text !== '1') throw unexpected(packet, 'has a flag that is neither 0 nor 1');
    return text === '1';
  };
  const count = (index: number): number => {
    const text = packet.latin1(index);
    // Perl's Gearman::Server leaves it empty where no worker has said anything, and passes on what workers say.
    if (!/^(\d{1,15}(\.\d*)?)?$/.test(text)) throw unexpected(packet, 'has a count that is no number');
    return Number(text);
  };
  return [flag(1), flag(2), count(3), count(4), isUnique ? count(5) : 0];
}

function unexpected(packet: Packet, why: string): GearmanError {
  return gearmanError('GEARMAN_UNEXPECTED_PACKET', `${nameOfType(packet.type)} ${why}.`);
}
