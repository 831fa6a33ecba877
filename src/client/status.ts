/** How is a job? Asks the servers that may know, and makes one answer of theirs. */
import {
  describe,
  failAtCaller,
  gearmanError,
  invalidArgument,
  type GearmanError,
  type GearmanErrorCode,
  type GearmanErrorDetails,
} from '../errors.js';
import { checkUniqueOfJob } from '../protocol/arguments.js';
import { TYPE } from '../protocol/packet.js';
import { Timed } from '../transport/deadlines.js';
import type { Loss } from '../transport/request.js';
import { aborted } from './calls.js';
import type { QuestionOptions } from './options.js';
import { Question, type Asker, type Subject, type UniqueJobStatus } from './question.js';
import type { Shared } from './shared.js';

const unset = (): void => undefined;

/** One call of `jobStatus` or `jobStatusByUnique`: the questions to the servers, and the promise of the answer. */
export class Inquiry extends Timed implements Asker {
  readonly subject: Subject;
  readonly #shared: Shared;
  readonly #options: QuestionOptions;
  readonly #questions: readonly Question[];
  /** The servers that did not say how the job is, and why. */
  readonly #silent = new Map<string, GearmanError>();
  #resolve: (status: UniqueJobStatus | Promise<never>) => void = unset;
  #isSettled = false;

  private constructor(shared: Shared, subject: Subject, options: QuestionOptions) {
    super();
    this.#shared = shared;
    this.subject = subject;
    this.#options = options;
    this.#questions = subject.servers.map((server) => new Question(this, server));
  }

  /** About a handle or an id: the server that issued it if that is known, else all. */
  static byHandle(shared: Shared, handleOrId: unknown, options: QuestionOptions): Inquiry {
    const { handle, server } = shared.handles.locate(handleOrId);
    const { pool, handles } = shared;
    const name = options.server ?? server;
    const named = name === undefined ? [] : [pool.endpoint(name).name];
    // Where both are named, the id must not mean another one.
    if (name !== server && server !== undefined && pool.endpoint(server).name !== named[0]) {
      throw invalidArgument(`The id names ${server}, the option server another.`);
    }
    const remembered = named.length > 0 ? named : handles.serversOf(handle);
    // Also of servers that have left the pool: they cannot be asked, and nobody else can say that the job is done.
    const servers = remembered.length > 0 ? remembered : pool.requireNames();
    const { length } = remembered;
    const subject = { type: TYPE.GET_STATUS, key: handle, servers, isPinned: length === 1, isAmbiguous: length > 1 };
    return new Inquiry(shared, subject, options);
  }

  /** About a unique ID: all servers, for only with its function would it say which one has the job. */
  static byUnique(shared: Shared, unique: unknown, options: QuestionOptions): Inquiry {
    const key = checkUniqueOfJob(unique);
    const { pool } = shared;
    const { server } = options;
    const servers = server === undefined ? pool.requireNames() : [pool.endpoint(server).name];
    const subject = { type: TYPE.GET_STATUS_UNIQUE, key, servers, isPinned: server !== undefined, isAmbiguous: false };
    return new Inquiry(shared, subject, options);
  }

  /** Asks. Resolves to the status; its last number is 0 where it is about a handle. */
  ask(): Promise<UniqueJobStatus> {
    const status = new Promise<UniqueJobStatus>((resolve) => {
      this.#resolve = resolve;
    });
    this.#shared.calls.begin(this, this.#options.timeout, this.#options.signal);
    if (this.#isSettled) return status;
    for (const question of this.#questions) this.#send(question);
    return status;
  }

  /** Something changed that may decide the answer. */
  reconsider(): void {
    if (this.#isSettled) return;
    const isKnown = this.#knowers().length > 0;
    const isAwaited = this.#questions.some(({ settled, server }) => !settled && !(isKnown && this.#isInDoubt(server)));
    if (!isAwaited) this.#conclude();
  }

  onNotAsked(question: Question, error: GearmanError): void {
    if (error.code === 'GEARMAN_SHUTDOWN') this.#fail(error, { server: error.server });
    else this.#send(question, error);
  }

  /** Asked again, but not after a protocol error: the answer itself may have been what broke it. */
  onNotAnswered(question: Question, { error, ending }: Loss): void {
    if (ending === 'protocol error') this.#giveUp(question, error);
    else this.onNotAsked(question, error);
  }

  onRefusal(question: Question, serverCode: string, text: string): void {
    const { server } = question;
    const message = `${server} refused it: ${text} (${serverCode}).`;
    this.#giveUp(question, gearmanError('GEARMAN_SERVER_ERROR', message, { server, serverCode }));
  }

  onImpossible(question: Question, error: GearmanError): void {
    if (error.code === 'GEARMAN_COULD_NOT_CONNECT') this.#giveUp(question, error);
    else if (!this.#isSettled) this.#fail(error);
  }

  /** The deadline. What is known by then is the answer; the servers that owe theirs are in doubt. */
  override onDue(): void {
    const open = this.#questions.filter((question) => !question.settled);
    const late = open.map((question) => this.#lateness(question));
    for (const error of late) this.#silent.set(error.server ?? '', error);
    this.#conclude(late.find(({ code }) => code === 'GEARMAN_TIMEOUT')?.code);
    for (const { carrier } of open) carrier?.onAbandoned(true);
  }

  /** The caller's signal was aborted. */
  onAbort(reason: unknown): void {
    this.#reject(aborted(reason, 'asking changes nothing', this.#about));
  }

  /** Asks, or gives it up; `error` says why it was not asked before, and is made only when it is needed. */
  #send(question: Question, error?: GearmanError): void {
    if (this.#mayAsk(question)) this.#shared.pool.send(question);
    else this.#giveUp(question, error ?? this.#whyNotAsked(question.server));
  }

  #whyNotAsked(server: string): GearmanError {
    const message = `${server} is in doubt, or not in the pool.`;
    const why = this.#shared.pool.find(server)?.lastError;
    return why ?? gearmanError('GEARMAN_COULD_NOT_CONNECT', message, { server });
  }

  /** One server is asked until the deadline; of several, each while it is up. */
  #mayAsk(question: Question): boolean {
    return this.subject.isPinned || this.#shared.pool.find(question.server)?.accepts(question) === true;
  }

  #isInDoubt(server: string): boolean {
    return this.#shared.pool.find(server)?.isInDoubt !== false;
  }

  #giveUp(question: Question, error: GearmanError): void {
    question.settled = true;
    this.#silent.set(question.server, error);
    this.reconsider();
  }

  #knowers(): Question[] {
    return this.#questions.filter(({ status }) => status?.[0] === true);
  }

  #lateness(question: Question): GearmanError {
    const { carrier, server } = question;
    const { timeout } = this.#options;
    if (carrier !== undefined) {
      return gearmanError('GEARMAN_TIMEOUT', `${server} did not answer within ${String(timeout)} ms.`, { server });
    }
    const { code, message, cause } = this.#shared.pool.whyUnsent(question, timeout);
    return gearmanError(code, message, { server, cause });
  }

  /** All that can be known is known. Says the code if that is too little. */
  #conclude(code: GearmanErrorCode = 'GEARMAN_COULD_NOT_CONNECT'): void {
    const knowers = this.#knowers();
    // Where one server was asked, also what it says of a job that it does not know: others may wait for its result.
    const [first] = this.#questions.length === 1 ? this.#questions : knowers;
    if (knowers.length > (this.subject.isAmbiguous ? 0 : 1)) {
      const names = knowers.map(({ server }) => server).join(', ');
      const message = `${names} ${knowers.length > 1 ? 'know it' : 'knows it, and another issued it, too'}. ${this.#advice}`;
      this.#reject(gearmanError('GEARMAN_AMBIGUOUS_HANDLE', this.#say(message), this.#about));
    } else if (knowers.length === 0 && this.#silent.size > 0) {
      this.#failFor([...this.#silent.values()], code);
    } else {
      this.#settle(first?.status ?? [false, false, 0, 0, 0]);
    }
  }

  /** Nobody knows the job, and these are why somebody still might. */
  #failFor(errors: readonly GearmanError[], code: GearmanErrorCode): void {
    const unreachable = errors.flatMap((error) => (error.code === 'GEARMAN_SERVER_ERROR' ? [] : (error.server ?? [])));
    const [first] = errors;
    if (first !== undefined && unreachable.length === 0) {
      this.#fail(first, { server: first.server, serverCode: first.serverCode });
      return;
    }
    if (first !== undefined && this.subject.isPinned) {
      this.#fail(first, { server: first.server, unreachable });
      return;
    }
    const message = `${errors.map(describe).join(' ')} No other job server knows it.`;
    const cause = new AggregateError(errors, unreachable.join(', '));
    this.#fail(gearmanError(code, message, { cause }), { unreachable });
  }

  get #about(): GearmanErrorDetails {
    return this.subject.type === TYPE.GET_STATUS ? { handle: this.subject.key } : { unique: this.subject.key };
  }

  get #advice(): string {
    return this.subject.type === TYPE.GET_STATUS ? "Ask with the job's id, or name the server." : 'Name the server.';
  }

  #say(message: string): string {
    const what = this.subject.type === TYPE.GET_STATUS ? 'the job handle' : 'the unique ID';
    return `Status of ${what} ${this.subject.key}: ${message}`;
  }

  /** The same error, about this job. */
  #fail({ code, message, cause }: GearmanError, details: GearmanErrorDetails = {}): void {
    this.#reject(gearmanError(code, this.#say(message), { ...this.#about, ...details, cause }));
  }

  #reject(error: GearmanError): void {
    this.#settle(failAtCaller(error));
  }

  #settle(outcome: UniqueJobStatus | Promise<never>): void {
    this.#isSettled = true;
    this.#resolve(outcome);
    // Tombstones stay; the promise and the errors need not.
    this.#resolve = unset;
    this.#silent.clear();
    this.#shared.calls.end(this, this.#options.signal);
    for (const question of this.#questions) question.abandon(false);
  }
}
