/** Misbehaviour on request, for the tests of those who use a job server. */
import { invalidArgument } from '../errors.js';
import { checkObject, checkWhole } from './options.js';
import { PACKET_TYPES } from '../protocol/packet.js';

/** What all faults have in common. */
export interface FaultScope {
  /** Name of the packet type that it applies to, as `'SUBMIT_JOB_BG'` or `'JOB_CREATED'`; any by default. */
  readonly packet?: string | undefined;
  /** It happens this many times and no more; without limit by default. */
  readonly times?: number | undefined;
}

/** To a request: it, and what follows it on its connection, is carried out `ms` milliseconds later. */
export interface DelayFault extends FaultScope {
  readonly kind: 'delay';
  /** Milliseconds. */
  readonly ms: number;
}

/** To a request: it is neither carried out nor answered. */
export interface IgnoreFault extends FaultScope {
  readonly kind: 'ignore';
}

/** To a request: it is not carried out but answered with an ERROR. */
export interface ErrorFault extends FaultScope {
  readonly kind: 'error';
  /** First argument of the ERROR, as `QUEUE_ERROR`. */
  readonly code: string;
  /** Second argument of the ERROR. */
  readonly text: string;
}

/**
 * To a request: from it on nothing is read from its connection, until the fault is undone. Without `packet`, nothing is read from new
 * connections at all, as if the server's process stood still.
 */
export interface FreezeFault extends FaultScope {
  readonly kind: 'freeze';
}

/** To an answer: what was asked for is done, and this packet of the answer is not sent. */
export interface DropFault extends FaultScope {
  readonly kind: 'drop';
}

/** To an answer: the connection ends within it. */
export interface CutFault extends FaultScope {
  readonly kind: 'cut';
  /** How many bytes of the packet are still sent; none by default. */
  readonly after?: number | undefined;
}

/** To an answer: its first byte is wrong, so that it is no packet. */
export interface GarbleFault extends FaultScope {
  readonly kind: 'garble';
}

/** To a connection: it is closed as soon as it was accepted. Takes no `packet`. */
export interface RefuseFault extends FaultScope {
  readonly kind: 'refuse';
}

/** What happens to a request. */
export type RequestFault = DelayFault | IgnoreFault | ErrorFault | FreezeFault;

/** What happens to an answer. */
export type AnswerFault = DropFault | CutFault | GarbleFault;

/** One way of misbehaving; `kind` says which. Lines of the text protocol are only frozen and refused. */
export type Fault = RequestFault | AnswerFault | RefuseFault;

type Side = 'request' | 'answer' | 'connection';

/** What each kind happens to, and which options it has beside those of {@link FaultScope}. */
const KINDS: Readonly<Record<Fault['kind'], { side: Side; keys: readonly string[] }>> = {
  delay: { side: 'request', keys: ['ms'] },
  ignore: { side: 'request', keys: [] },
  error: { side: 'request', keys: ['code', 'text'] },
  freeze: { side: 'request', keys: [] },
  drop: { side: 'answer', keys: [] },
  cut: { side: 'answer', keys: ['after'] },
  garble: { side: 'answer', keys: [] },
  refuse: { side: 'connection', keys: [] },
};

interface Armed<F extends Fault = Fault> {
  readonly fault: F;
  /** Any type's number for `undefined`. */
  readonly type: number | undefined;
  left: number;
}

const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** The faults that are in force, the oldest first: of several that fit, the oldest happens. */
export class Faults {
  readonly #requests: Armed<RequestFault>[] = [];
  readonly #answers: Armed<AnswerFault>[] = [];
  readonly #connections: Armed<RefuseFault>[] = [];

  /**
   * Puts a fault into force; returns what ends it.
   * @throws GearmanArgumentError `GEARMAN_INVALID_ARGUMENT`: no such fault, or one that cannot happen to such a packet
   */
  add(given: unknown): () => void {
    const fault = readFault(given);
    const { side } = KINDS[fault.kind];
    const type = fault.packet === undefined ? undefined : typeNamed(fault.packet, side);
    const armed = { fault, type, left: fault.times ?? Infinity };
    const list = this.#listOf(side) as Armed[];
    list.push(armed);
    return () => {
      if (list.includes(armed)) list.splice(list.indexOf(armed), 1);
    };
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
  onConnection(): RefuseFault | FreezeFault | undefined {
    const refused = happen(this.#connections, undefined);
    if (refused !== undefined) return refused;
    const freezing = this.#requests.filter(({ fault, type }) => fault.kind === 'freeze' && type === undefined);
    return happen(freezing, undefined) as FreezeFault | undefined;
  }

  #listOf(side: Side): unknown {
    if (side === 'request') return this.#requests;
    return side === 'answer' ? this.#answers : this.#connections;
  }
}

function happen<F extends Fault>(list: readonly Armed<F>[], type: number | undefined): F | undefined {
  const armed = list.find((each) => each.left > 0 && (each.type === undefined || each.type === type));
  if (armed === undefined) return undefined;
  armed.left--;
  return armed.fault;
}

function readFault(given: unknown): Fault {
  const kind = (given as { kind?: unknown } | null | undefined)?.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind)) {
    throw invalidArgument(`The kind of a fault is one of ${Object.keys(KINDS).join(', ')}.`);
  }
  const { keys, side } = KINDS[kind as Fault['kind']];
  const scope = side === 'connection' ? ['kind', 'times'] : ['kind', 'packet', 'times'];
  const fault = { ...(checkObject(`the fault ${kind}`, given, [...scope, ...keys]) as Fault) };
  if (fault.times !== undefined) checkWhole('times', fault.times, 1, Number.MAX_SAFE_INTEGER);
  if (fault.kind === 'delay') checkWhole('ms', fault.ms, 0, LONGEST_DELAY_MS);
  if (fault.kind === 'cut') checkWhole('after', fault.after ?? 0, 0, Number.MAX_SAFE_INTEGER);
  if (fault.kind === 'error') [fault.code, fault.text].forEach(checkText);
  return fault;
}

function checkText(text: unknown): void {
  if (typeof text === 'string' && /^[\x20-\x7e]+$/.test(text)) return;
  throw invalidArgument('The code and the text of an ERROR are strings of printable ASCII.');
}

function typeNamed(name: string, side: Side): number {
  const type = PACKET_TYPES.find((each) => each?.name === name);
  const fits = type?.senders.some((sender) => (sender === 'server') === (side === 'answer'));
  if (type !== undefined && fits === true) return type.number;
  throw invalidArgument(`There is no ${side} of the packet type '${name}'.`);
}
