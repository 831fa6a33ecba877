/** A packet that came in. */
import { gearmanError } from '../errors.js';
import { PACKET_TYPES, TYPE, nameOfType } from './packet.js';

/** What `toString('latin1', start, end)` comes to after some checks, which would be a twentieth of the cost of a call. */
interface Latin1 {
  latin1Slice(start: number, end: number): string;
}

const NUL = 0;

/**
 * One packet that came in. It is a view of the memory that the decoder was given (or of a copy that the decoder made of a body in
 * several chunks): valid for as long as nobody writes to that memory, and it keeps that memory alive.
 */
export class Packet {
  /** Type number. */
  readonly type: number;
  /** The memory that it is a view of; the body is there from `start` on, before `end`. */
  readonly source: Buffer;
  readonly start: number;
  readonly end: number;
  /** Where the arguments end, the NUL excluded; found when first asked for. */
  #ends: readonly number[] | undefined;

  constructor(type: number, source: Buffer, start: number, end: number) {
    this.type = type;
    this.source = source;
    this.start = start;
    this.end = end;
  }

  /** Length of the body in bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /** An argument byte for byte, one character each: job handles are kept like this. */
  latin1(index: number): string {
    return (this.source as Buffer & Latin1).latin1Slice(this.#startOf(index), this.#endOf(index));
  }

  /** An argument as text. */
  utf8(index: number): string {
    return this.source.toString('utf8', this.#startOf(index), this.#endOf(index));
  }

  /** An argument's bytes, not copied. */
  bytes(index: number): Buffer {
    return this.source.subarray(this.#startOf(index), this.#endOf(index));
  }

  /** The opaque last argument, one character a byte: cheaper than a view where it is short and to be kept. */
  get latin1Data(): string {
    return (this.source as Buffer & Latin1).latin1Slice(this.#dataStart, this.end);
  }

  /** Length of the opaque last argument in bytes. */
  get dataLength(): number {
    return this.end - this.#dataStart;
  }

  /** The opaque last argument, not copied; empty for types that have none. */
  get data(): Buffer {
    return this.source.subarray(this.#dataStart, this.end);
  }

  /**
   * Splits the body into the arguments of its type.
   * @throws GearmanProtocolError `GEARMAN_INVALID_PACKET` when it does not hold them. So do all that read an argument.
   */
  split(): readonly number[] {
    this.#ends ??= findEnds(this.type, this.source, this.start, this.end);
    return this.#ends;
  }

  /** The end for types that have no data. */
  get #dataStart(): number {
    const { args, data } = definitionOf(this.type);
    return data === undefined ? this.end : this.#startOf(args.length);
  }

  #startOf(index: number): number {
    return index === 0 ? this.start : this.#endOf(index - 1) + 1;
  }

  #endOf(index: number): number {
    // Of the many packets that are a job handle and nothing more, no list is made.
    if (index === 0 && this.type === TYPE.JOB_CREATED) return findNul(this.source, this.start, this.end);
    const end = this.split()[index];
    if (end === undefined) throw new RangeError(`${nameOfType(this.type)} has no argument ${String(index)}`);
    return end;
  }
}

function findEnds(type: number, bytes: Buffer, start: number, end: number): number[] {
  const { args, data } = definitionOf(type);
  const ends: number[] = [];
  let from = start;
  const separated = data === undefined ? args.length - 1 : args.length;
  for (let index = 0; index < separated; index++) {
    const nul = findNul(bytes, from, end);
    if (nul === end) throw gearmanError('GEARMAN_INVALID_PACKET', tooFew(type, index));
    ends.push(nul);
    from = nul + 1;
  }
  if (separated === args.length) return ends;
  // gearmand puts a NUL behind the handle of some WORK_FAIL packets; no handle contains one.
  if (separated >= 0) ends.push(args[separated] === 'handle' ? findNul(bytes, from, end) : end);
  return ends;
}

function tooFew(type: number, found: number): string {
  return `${nameOfType(type)} holds ${String(found)} of its arguments and then no NUL that would end the next.`;
}

function findNul(bytes: Buffer, from: number, end: number): number {
  let index = from;
  while (index < end && bytes[index] !== NUL) index++;
  return index;
}

function definitionOf(type: number): { args: readonly string[]; data: string | undefined } {
  return PACKET_TYPES[type] ?? { args: [], data: undefined };
}
