/** How is a job? Asks the servers that may know, and makes one answer of theirs. */
import {
  GearmanConnectionError,
  GearmanError,
  GearmanServerError,
  failAtCaller,
  invalidArgument,
  type GearmanErrorCode,
  type GearmanErrorDetails,
} from '../errors.js';
import { checkUnique } from '../protocol/arguments.js';
import { TYPE } from '../protocol/packet.js';
import { Timed } from '../transport/deadlines.js';
import type { Loss } from '../transport/request.js';
import { aborted } from './calls.js';
import type { RequestOptions } from './options.js';
import { Question, type Asker, type Subject, type UniqueJobStatus } from './question.js';
import type { Shared } from './shared.js';

/** One call of `jobStatus` or `jobStatusByUnique`: the questions to the servers, and the promise of the answer. */
export class Inquiry extends Timed implements Asker {
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
    // Also of servers that have left the pool: they cannot be asked, and nobody else can say that the job is done.
    const servers = remembered.length > 0 ? remembered : shared.pool.requireNames();
    const subject = { type: TYPE.GET_STATUS, key: handle, servers };
    const remembrance = { isPinned: remembered.length === 1, isAmbiguous: remembered.length > 1 };
    return new Inquiry(shared, { ...subject, ...remembrance }, options).#ask();
  }

  /** Asks for a unique ID: all servers, for only with its function would it say which one has the job. */
  static byUnique(shared: Shared, unique: unknown, options: RequestOptions): Inquiry {
    const key = checkUnique(unique);
    if (key === '') throw invalidArgument('The unique ID is empty. Pass the one that the job was submitted with.');
    const { pool } = shared;
    const { server } = options;
    const servers = server === undefined ? pool.requireNames() : [pool.endpoint(server).name];
    const subject = { type: TYPE.GET_STATUS_UNIQUE, key, servers, isPinned: server !== undefined, isAmbiguous: false };
    return new Inquiry(shared, subject, options).#ask();
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
  onRefusal(question: Question, serverCode: string, text: string): void {
    const { server } = question;
    const message = this.#say(`${server} refused it: ${text} (${serverCode}).`);
    const error = new GearmanServerError('GEARMAN_SERVER_ERROR', message, { ...this.#about, server, serverCode });
    this.#reject(error);
  }

  /** There is no server to ask any more. */
  onImpossible({ code, message, cause }: GearmanError): void {
    if (!this.#isSettled) this.#reject(new GearmanError(code, this.#say(message), { ...this.#about, cause }));
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
    if (this.#isSettled) return this;
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
    this.#unreachable.set(question.server, error ?? new Error(`${question.server} is in doubt, or not in the pool`));
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
      this.#reject(new GearmanError('GEARMAN_AMBIGUOUS_HANDLE', this.#say(message), this.#about));
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
