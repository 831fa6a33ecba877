/** Misbehaviour on request, for the tests of those who use a job server. */
import { invalidArgument } from '../errors.js';
import { checkOptions, checkWhole } from '../protocol/arguments.js';
import { PACKET_TYPES } from '../protocol/packet.js';
import { LONGEST_TIMER_MS } from '../runtime.js';

/** What all faults have in common. */
export interface FaultScope {
  /** Name of the packet type that it applies to, as `'SUBMIT_JOB_BG'` or `'JOB_CREATED'`; any by default. */
  readonly packet?: string | undefined;
  /** It happens this many times and no more; without limit by default. */
  readonly times?: number | undefined;
}

/**
 * What happens to a request; `packet` is the name of one.
 * - `delay`: it, and what follows it on its connection, is carried out `ms` milliseconds later.
 * - `ignore`: it is neither carried out nor answered.
 * - `error`: it is not carried out but answered with an ERROR, `code` being one as `QUEUE_ERROR`.
 * - `freeze`: from it on nothing is read from its connection until the fault is undone. Without `packet`, nothing is read from new
 *   connections at all, as if the server's process stood still.
 */
export type RequestFault = FaultScope &
  (
    | { readonly kind: 'delay'; readonly ms: number }
    | { readonly kind: 'ignore' }
    | { readonly kind: 'error'; readonly code: string; readonly text: string }
    | { readonly kind: 'freeze' }
  );

/**
 * What happens to an answer, or to what is sent without a request; `packet` is the name of one.
 * - `drop`: what was asked for is done, and the packet is not sent.
 * - `cut`: the connection ends when `after` bytes of the packet are sent, none by default.
 * - `garble`: its first byte is wrong, so that it is no packet.
 */
export type AnswerFault = FaultScope &
  (
    | { readonly kind: 'drop' }
    | { readonly kind: 'cut'; readonly after?: number | undefined }
    | { readonly kind: 'garble' }
  );

/** A connection is closed as soon as it was accepted. */
export interface RefuseFault extends Pick<FaultScope, 'times'> {
  /** Tells faults apart. */
  readonly kind: 'refuse';
}

/** One way of misbehaving; `kind` says which. Lines of the text protocol are only frozen and refused. */
export type Fault = RequestFault | AnswerFault | RefuseFault;

/** Which options each kind has. */
const KEYS: Readonly<Record<Fault['kind'], readonly string[]>> = {
  delay: ['packet', 'ms'],
  ignore: ['packet'],
  error: ['packet', 'code', 'text'],
  freeze: ['packet'],
  drop: ['packet'],
  cut: ['packet', 'after'],
  garble: ['packet'],
  refuse: [],
};

interface Armed<F extends Fault> {
  readonly fault: F;
  /** The packet type that it applies to; any for `undefined`. */
  readonly type: number | undefined;
  left: number;
}

/** The faults that are in force, the oldest first: of several that fit, the oldest happens. */
export class Faults {
  readonly #requests: Armed<RequestFault>[] = [];
  readonly #answers: Armed<AnswerFault>[] = [];
  readonly #connections: Armed<RefuseFault>[] = [];

  /**
   * Puts a fault into force; returns it, as it will be told of, and what ends it.
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: no such fault, or one that cannot happen to such a packet
   */
  add(given: unknown): { readonly fault: Fault; readonly remove: () => void } {
    const fault = readFault(given);
    return { fault, remove: this.#arm(fault) };
  }

  #arm(fault: Fault): () => void {
    switch (fault.kind) {
      case 'refuse':
        return arm(this.#connections, fault, undefined);
      case 'drop':
      case 'cut':
      case 'garble':
        return arm(this.#answers, fault, typeNamed(fault.packet, 'answer'));
      default:
        return arm(this.#requests, fault, typeNamed(fault.packet, 'request'));
    }
  }

  /** What happens to a request of that type, if anything. */
  onRequest(type: number): RequestFault | undefined {
    return this.#requests.length === 0 ? undefined : happen(this.#requests, type);
  }

  /** What happens to an answer of that type, if anything. */
  onAnswer(type: number): AnswerFault | undefined {
    return this.#answers.length === 0 ? undefined : happen(this.#answers, type);
  }

  /** What happens to a connection that comes: it is refused, or accepted and not read. */
  onConnection(): Fault | undefined {
    const refusal = happen(this.#connections, undefined);
    if (refusal !== undefined) return refusal;
    const freezing = this.#requests.filter(({ fault, type }) => fault.kind === 'freeze' && type === undefined);
    return happen(freezing, undefined);
  }
}

function arm<F extends Fault>(list: Armed<F>[], fault: F, type: number | undefined): () => void {
  const armed = { fault, type, left: fault.times ?? Infinity };
  list.push(armed);
  return () => {
    if (list.includes(armed)) list.splice(list.indexOf(armed), 1);
  };
}

function happen<F extends Fault>(list: readonly Armed<F>[], type: number | undefined): F | undefined {
  const armed = list.find((each) => each.left > 0 && (each.type === undefined || each.type === type));
  if (armed === undefined) return undefined;
  armed.left--;
  return armed.fault;
}

function readFault(given: unknown): Fault {
  const kind = (given as { kind?: unknown } | null | undefined)?.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(KEYS, kind)) {
    throw invalidArgument(`The kind of a fault is one of ${Object.keys(KEYS).join(', ')}.`);
  }
  const keys = ['kind', 'times', ...KEYS[kind as Fault['kind']]];
  const fault = { ...(checkOptions(`the fault ${kind}`, given, keys) as Fault) };
  if (fault.times !== undefined) checkWhole('times', fault.times, 1, Number.MAX_SAFE_INTEGER);
  if (fault.kind === 'delay') checkWhole('ms', fault.ms, 0, LONGEST_TIMER_MS);
  if (fault.kind === 'cut') checkWhole('after', fault.after ?? 0, 0, Number.MAX_SAFE_INTEGER);
  if (fault.kind === 'error') [fault.code, fault.text].forEach(checkText);
  return fault;
}

function checkText(text: unknown): void {
  if (typeof text === 'string' && /^[\x20-\x7e]+$/.test(text)) return;
  throw invalidArgument('The code and the text of an ERROR are strings of printable ASCII.');
}

function typeNamed(name: string | undefined, side: 'request' | 'answer'): number | undefined {
  if (name === undefined) return undefined;
  const type = PACKET_TYPES.find((each) => each?.name === name);
  const fits = type?.senders.some((sender) => (sender === 'server') === (side === 'answer'));
  if (type !== undefined && fits === true) return type.number;
  throw invalidArgument(`There is no ${side} of the packet type '${name}'.`);
}
