/** How is a job? Asks the servers that may know, and makes one answer of theirs. */
import {
  GearmanConnectionError,
  GearmanError,
  GearmanProtocolError,
  GearmanServerError,
  failAtCaller,
  invalidArgument,
  type GearmanErrorCode,
  type GearmanErrorDetails,
} from '../errors.js';
import { checkUnique } from '../protocol/arguments.js';
import type { Batch } from '../protocol/batch.js';
import type { Packet } from '../protocol/decode.js';
import { TYPE, nameOfType } from '../protocol/packet.js';
import { Timed } from '../transport/deadlines.js';
import { Request, type Loss } from '../transport/request.js';
import { aborted } from './calls.js';
import type { RequestOptions } from './options.js';
import type { Shared } from './shared.js';

/** `[known, running, numerator, denominator]`: what the server says about a job; all `false` and 0 for one that it does not know. */
export type JobStatus = [known: boolean, running: boolean, numerator: number, denominator: number];

/** A {@link JobStatus}, and the number of clients that wait for the job's result. */
export type UniqueJobStatus = [...JobStatus, waitingClients: number];

/** What is asked, and whom. */
interface Subject {
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

/** The question to one server. */
class Question extends Request {
  override readonly server: string;
  override readonly job = undefined;
  override readonly isSticky: boolean;
  status: UniqueJobStatus | undefined;
  readonly #inquiry: Inquiry;

  constructor(inquiry: Inquiry, server: string) {
    super();
    this.#inquiry = inquiry;
    this.server = server;
    this.isSticky = inquiry.subject.isPinned;
  }

  override write(batch: Batch): void {
    batch.add(this.#inquiry.subject.type, [this.#inquiry.subject.key]);
  }

  override isAnsweredBy(type: number): boolean {
    const answer = this.#inquiry.subject.type === TYPE.GET_STATUS ? TYPE.STATUS_RES : TYPE.STATUS_RES_UNIQUE;
    return type === answer || type === TYPE.ERROR;
  }

  override onReply(packet: Packet, server: string): void {
    if (packet.type === TYPE.ERROR) {
      const serverCode = packet.latin1(0);
      this.#inquiry.onRefusal(serverCode, packet.utf8(1), server);
      return;
    }
    const status = readStatus(packet, this.#inquiry.subject.key);
    if (this.settled) return;
    this.settled = true;
    this.status = status;
    this.#inquiry.reconsider();
  }

  override onUnsent(loss: Loss): void {
    this.#inquiry.onNotAsked(this, loss);
  }

  override onLost(loss: Loss): void {
    if (!this.settled) this.#inquiry.onNotAsked(this, loss);
  }

  override onRefused(error: Error): void {
    this.#inquiry.onImpossible(error);
  }

  override onDoubt(): void {
    this.#inquiry.reconsider();
  }

  override onDue(): void {
    // The inquiry keeps the time.
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
    if (!/^\d{1,15}$/.test(text)) throw unexpected(packet, 'has a count that is no number');
    return Number(text);
  };
  return [flag(1), flag(2), count(3), count(4), isUnique ? count(5) : 0];
}

function unexpected(packet: Packet, why: string): GearmanProtocolError {
  return new GearmanProtocolError('GEARMAN_UNEXPECTED_PACKET', `${nameOfType(packet.type)} ${why}.`);
}

/** One call of `jobStatus` or `jobStatusByUnique`: the questions to the servers, and the promise of the answer. */
export class Inquiry extends Timed {
  readonly subject: Subject;
  /** Resolves to the status; its last number is 0 where a handle was asked for. */
  readonly status: Promise<UniqueJobStatus>;
  readonly #shared: Shared;
  readonly #options: RequestOptions;
  readonly #questions: readonly Question[];
  /** The servers that could not be asked, and why. */
  readonly #unreachable = new Map<string, Error>();
  #resolve: (status: UniqueJobStatus | Promise<never>) => void = () => undefined;
  #isSettled = false;

  private constructor(shared: Shared, subject: Subject, options: RequestOptions) {
    super();
    this.#shared = shared;
    this.subject = subject;
    this.#options = options;
    this.#questions = subject.servers.map((server) => new Question(this, server));
    this.status = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Asks for a handle or an id: the server that issued it if that is known, else all. */
  static byHandle(shared: Shared, handleOrId: unknown, options: RequestOptions): Inquiry {
    const { handle, server } = shared.handles.locate(handleOrId);
    const named = options.server ?? server;
    const remembered = named === undefined ? shared.handles.serversOf(handle) : [shared.pool.endpoint(named).name];
    const known = remembered.filter((name) => shared.pool.find(name) !== undefined);
    const servers = known.length > 0 ? known : shared.pool.requireNames();
    const subject = { type: TYPE.GET_STATUS, key: handle, servers };
    return new Inquiry(
      shared,
      { ...subject, isPinned: known.length === 1, isAmbiguous: known.length > 1 },
      options,
    ).#ask();
  }

  /** Asks for a unique ID: all servers, for only with its function would it say which one has the job. */
  static byUnique(shared: Shared, unique: unknown, options: RequestOptions): Inquiry {
    const key = checkUnique(unique);
    if (key === '') throw invalidArgument('The unique ID is empty. Pass the one that the job was submitted with.');
    const servers =
      options.server === undefined ? shared.pool.requireNames() : [shared.pool.endpoint(options.server).name];
    const subject = { type: TYPE.GET_STATUS_UNIQUE, key, servers };
    return new Inquiry(
      shared,
      { ...subject, isPinned: options.server !== undefined, isAmbiguous: false },
      options,
    ).#ask();
  }

  /** Something changed that may decide the answer. */
  reconsider(): void {
    if (this.#isSettled) return;
    const isKnown = this.#questions.some(({ status }) => status?.[0] === true);
    const isAwaited = this.#questions.some(({ settled, server }) => !settled && !(isKnown && this.#isInDoubt(server)));
    if (!isAwaited) this.#conclude();
  }

  /** A question did not get to its server, or its answer not back. */
  onNotAsked(question: Question, { error, isProtocolError }: Loss): void {
    const isFinal = error.code === 'GEARMAN_SHUTDOWN' || (this.subject.isPinned && isProtocolError);
    if (isFinal) this.#fail(error.code, error.message, { server: question.server, cause: error.cause });
    else if (this.subject.isPinned || this.#accepts(question)) this.#shared.pool.send(question);
    else this.#giveUp(question, error);
  }

  /** The server answered ERROR. */
  onRefusal(serverCode: string, text: string, server: string): void {
    if (this.#isSettled) return;
    const message = `${server} refused it: ${text} (${serverCode}).`;
    this.#reject(
      new GearmanServerError('GEARMAN_SERVER_ERROR', this.#say(message), { ...this.#about, server, serverCode }),
    );
  }

  /** There is no server to ask any more. */
  onImpossible(error: Error): void {
    this.#fail(error instanceof GearmanError ? error.code : 'GEARMAN_INVALID_ARGUMENT', error.message, {
      cause: error.cause,
    });
  }

  /** The deadline. What is known by then is the answer; the servers that owe theirs are in doubt. */
  override onDue(): void {
    const open = this.#questions.filter((question) => !question.settled);
    const { timeout = this.#shared.settings.timeout } = this.#options;
    const error = this.#lateness(open, timeout);
    for (const { server } of open) this.#unreachable.set(server, error);
    if (this.#knowers().length > 0) this.#conclude();
    else this.#fail(error.code, error.message, { unreachable: open.map(({ server }) => server), cause: error.cause });
    for (const { carrier } of open) carrier?.onTimeout();
  }

  /** The caller's signal was aborted. */
  onAbort(reason: unknown): void {
    this.#reject(aborted(reason, 'asking changes nothing', this.#about));
  }

  #ask(): this {
    const { timeout = this.#shared.settings.timeout, signal } = this.#options;
    this.#shared.calls.begin(this, timeout, signal);
    for (const question of this.#questions) {
      if (this.subject.isPinned || this.#accepts(question)) this.#shared.pool.send(question);
      else this.#giveUp(question, this.#shared.pool.find(question.server)?.lastError);
    }
    return this;
  }

  #accepts(question: Question): boolean {
    return this.#shared.pool.find(question.server)?.accepts(question) === true;
  }

  #isInDoubt(server: string): boolean {
    return this.#shared.pool.find(server)?.isInDoubt !== false;
  }

  #giveUp(question: Question, error: Error | undefined): void {
    question.settled = true;
    this.#unreachable.set(question.server, error ?? new Error(`${question.server} is in doubt`));
    this.reconsider();
  }

  #knowers(): Question[] {
    return this.#questions.filter(({ status }) => status?.[0] === true);
  }

  /** All that can be known is known. */
  #conclude(): void {
    const knowers = this.#knowers();
    const [first] = this.#questions.length === 1 ? this.#questions : knowers;
    const names = [...this.#unreachable.keys()];
    if (knowers.length > (this.subject.isAmbiguous ? 0 : 1)) {
      const known = knowers.map(({ server }) => server).join(', ');
      const message = `several job servers issued it, and it is known to ${known}. Ask with the job's id, or name the server.`;
      this.#fail('GEARMAN_AMBIGUOUS_HANDLE', message);
    } else if (knowers.length === 0 && names.length > 0) {
      const cause = new AggregateError(this.#unreachable.values(), names.join(', '));
      const message = `${names.join(', ')} could not be asked, and no other job server knows it.`;
      this.#fail('GEARMAN_COULD_NOT_CONNECT', message, { unreachable: names, cause });
    } else {
      this.#settle();
      this.#resolve(first?.status ?? [false, false, 0, 0, 0]);
    }
  }

  #lateness(open: readonly Question[], timeout: number): GearmanConnectionError {
    const [first] = open;
    const asked = open.filter(({ carrier }) => carrier !== undefined);
    if (asked.length === 0 && first !== undefined) {
      const { code, message, cause } = this.#shared.pool.whyUnsent(first, timeout);
      return new GearmanConnectionError(code, message, { cause });
    }
    const names = asked.map(({ server }) => server).join(', ');
    return new GearmanConnectionError('GEARMAN_TIMEOUT', `${names} did not answer within ${String(timeout)} ms.`);
  }

  get #about(): GearmanErrorDetails {
    return this.subject.type === TYPE.GET_STATUS ? { handle: this.subject.key } : { unique: this.subject.key };
  }

  #say(message: string): string {
    const what = this.subject.type === TYPE.GET_STATUS ? 'the job handle' : 'the unique ID';
    return `Status of ${what} ${this.subject.key}: ${message}`;
  }

  #fail(code: GearmanErrorCode, message: string, details: GearmanErrorDetails = {}): void {
    if (this.#isSettled) return;
    this.#reject(new GearmanConnectionError(code, this.#say(message), { ...this.#about, ...details }));
  }

  #reject(error: GearmanError): void {
    this.#settle();
    this.#resolve(failAtCaller(error));
  }

  #settle(): void {
    this.#isSettled = true;
    for (const question of this.#questions) question.settled = true;
    this.#shared.calls.end(this, this.#options.signal);
  }
}
