/** A background job until the server has acknowledged it. What may fail on the way, and what the caller learns, is all in this file. */
import { failAtCaller, gearmanError, invalidArgument, type GearmanError, type GearmanErrorDetails } from '../errors.js';
import { checkUnique, checkWorkload, type Workload } from '../protocol/arguments.js';
import type { Batch } from '../protocol/batch.js';
import type { Packet } from '../protocol/incoming.js';
import { TYPE } from '../protocol/packet.js';
import { Request, type Loss } from '../transport/request.js';
import type { RoutedJob } from '../transport/routing.js';
import { aborted } from './calls.js';
import { readSubmitOptions, type JobOptions, type Priority } from './options.js';
import type { Shared } from './shared.js';

const BACKGROUND: Readonly<Record<Priority, number>> = {
  high: TYPE.SUBMIT_JOB_HIGH_BG,
  normal: TYPE.SUBMIT_JOB_BG,
  low: TYPE.SUBMIT_JOB_LOW_BG,
};

/** A method that submits jobs. */
export interface SubmitMethod {
  readonly shared: Shared;
  /** The public name, for messages. */
  readonly name: string;
  /** What the name says of the priority; none if the options say it. */
  readonly priority: Priority | undefined;
}

/** The methods of a client, made once: what is made for each call a million calls pay for. */
export function submitMethodsOf(
  shared: Shared,
): Record<'doBackground' | 'doHighBackground' | 'doLowBackground' | 'submitBackground', SubmitMethod> {
  const method = (name: string, priority?: Priority): SubmitMethod => ({ shared, name, priority });
  return {
    doBackground: method('doBackground', 'normal'),
    doHighBackground: method('doHighBackground', 'high'),
    doLowBackground: method('doLowBackground', 'low'),
    submitBackground: method('submitBackground'),
  };
}

function refuseCombination({ at, reducer }: JobOptions, priority: Priority): void {
  const isSpecial = at !== undefined || reducer !== undefined;
  if (!isSpecial || (priority === 'normal' && (at === undefined || reducer === undefined))) return;
  const advice = 'a job has one of at, reducer, and a priority that is not normal.';
  throw invalidArgument(`Gearman has no packet for this combination: ${advice}`);
}

const unset = (): void => undefined;

/** One call of `doBackground` and its like: the job, its request, and the promise of its handle. */
export class Submission extends Request implements RoutedJob {
  /** Function name as on the wire. */
  readonly function: string;
  readonly unique: string;
  /** Whether the unique ID was made here, so that no other job has it. */
  readonly isUniqueGenerated: boolean;
  /** Let go of when settled, although the tombstone stays. */
  workload: Workload;
  /** See {@link RoutedJob}. */
  hash: number | undefined = undefined;
  readonly #shared: Shared;
  readonly #priority: Priority;
  readonly #options: JobOptions;
  /** Let go of when settled, too, and the promise and its error with it. */
  #resolve: (handle: string | Promise<never>) => void = unset;
  /** It was written to a connection that died. */
  #wasLost = false;

  /**
   * Checks a call; {@link send} makes it.
   * @param given - the unique ID, or options
   * @throws GearmanArgumentError
   */
  constructor({ shared, name, priority }: SubmitMethod, fn: unknown, workload: unknown, given: unknown) {
    super();
    const hasOptions = given !== undefined && typeof given !== 'string';
    const { settings } = shared;
    const options: JobOptions = hasOptions ? readSubmitOptions(given, name, priority, settings) : settings;
    const unique = hasOptions ? options.unique : given;
    this.#shared = shared;
    this.function = shared.functionNames.onWire(fn);
    this.workload = checkWorkload(workload);
    this.isUniqueGenerated = unique === undefined || unique === '';
    this.unique = unique === undefined || unique === '' ? shared.uniqueIds.next() : checkUnique(unique);
    this.#priority = options.priority ?? priority ?? 'normal';
    const { server } = options;
    this.#options = server === undefined ? options : { ...options, server: shared.pool.endpoint(server).name };
    refuseCombination(options, this.#priority);
  }

  /** Submits the job, unless there is a reason not to. Resolves to its handle. */
  send(refusal?: GearmanError): Promise<string> {
    const handle = new Promise<string>((resolve) => {
      this.#resolve = resolve;
    });
    this.#shared.calls.begin(this, this.#options.timeout, this.#options.signal);
    if (refusal !== undefined) this.#fail(refusal);
    else if (!this.settled) this.#shared.pool.send(this);
    return handle;
  }

  override get server(): string | undefined {
    return this.#options.server;
  }

  override get job(): RoutedJob {
    return this;
  }

  /** Name of the server that has the job, once it has been acknowledged. */
  get acknowledgedBy(): string {
    return this.carrier?.server ?? '';
  }

  /** An explicit unique ID waits for the server that it ranks first while that is in doubt: the job may be there. */
  override get isSticky(): boolean {
    return !this.isUniqueGenerated || this.#options.server !== undefined;
  }

  override write(batch: Batch): void {
    const { at, reducer } = this.#options;
    if (at !== undefined) {
      const seconds = String(Math.ceil(at.getTime() / 1000));
      batch.add(TYPE.SUBMIT_JOB_EPOCH, [this.function, this.unique, seconds, this.workload]);
    } else if (reducer !== undefined) {
      batch.add(TYPE.SUBMIT_REDUCE_JOB_BACKGROUND, [this.function, this.unique, reducer, '', this.workload]);
    } else {
      batch.add(BACKGROUND[this.#priority], [this.function, this.unique, this.workload]);
    }
  }

  override isAnsweredBy(type: number): boolean {
    return type === TYPE.JOB_CREATED || type === TYPE.ERROR;
  }

  override onReply(packet: Packet, server: string): void {
    if (packet.type === TYPE.ERROR) {
      this.#onRefusal(packet.latin1(0), packet.utf8(1), server);
      return;
    }
    const handle = this.#shared.handles.read(packet, server);
    if (!this.settled) this.#settle(handle);
  }

  override onUnsent(): void {
    this.#shared.pool.send(this);
  }

  override onLost({ error }: Loss): void {
    this.#wasLost = true;
    if (this.settled) return;
    if (this.#options.resubmit && error.code !== 'GEARMAN_SHUTDOWN') this.#shared.pool.send(this);
    else this.#fail(error);
  }

  override onRefused(error: GearmanError): void {
    this.#fail(error);
  }

  /** The deadline. */
  override onDue(): void {
    const { timeout } = this.#options;
    const { carrier } = this;
    if (carrier === undefined) {
      this.#fail(this.#shared.pool.whyUnsent(this, timeout));
      return;
    }
    const { server } = carrier;
    this.#fail(gearmanError('GEARMAN_TIMEOUT', `${server} did not answer within ${String(timeout)} ms.`, { server }));
    carrier.onAbandoned(true);
  }

  /** The caller's signal was aborted. */
  onAbort(reason: unknown): void {
    const { carrier } = this;
    const maybe = this.#maybeSubmitted ? 'may have been' : 'was not';
    this.#reject(aborted(reason, `the job ${maybe} submitted`, this.#details(carrier?.server)));
    carrier?.onAbandoned(false);
  }

  #onRefusal(serverCode: string, text: string, server: string): void {
    if (this.settled) return;
    const message = this.#say(`${server} refused it: ${text} (${serverCode}).`);
    const details = { ...this.#details(server), maybeSubmitted: this.#wasLost, serverCode };
    this.#reject(gearmanError('GEARMAN_SERVER_ERROR', message, details));
  }

  /** The same error, about this job. */
  #fail({ code, message, server, cause }: GearmanError): void {
    this.#reject(gearmanError(code, this.#say(message), { ...this.#details(server), cause }));
  }

  #reject(error: GearmanError): void {
    if (!this.settled) this.#settle(failAtCaller(error));
  }

  #settle(outcome: string | Promise<never>): void {
    this.settled = true;
    this.workload = '';
    this.#shared.calls.end(this, this.#options.signal);
    this.#resolve(outcome);
    this.#resolve = unset;
  }

  /** A byte of it was handed to a socket, and no server has refused it. */
  get #maybeSubmitted(): boolean {
    return this.carrier !== undefined || this.#wasLost;
  }

  /** A message that names the job. */
  #say(message: string): string {
    return `Submitting ${this.calledName} (unique ID ${this.unique}): ${message}`;
  }

  /** Function name, as it was passed in. */
  get calledName(): string {
    return this.function.slice(this.#shared.settings.prefix.length);
  }

  #details(server: string | undefined): GearmanErrorDetails {
    const { calledName, unique } = this;
    return { server: server ?? this.server, function: calledName, unique, maybeSubmitted: this.#maybeSubmitted };
  }
}
