/**
 * Checks what callers pass before it becomes bytes: gearmand answers some of it with silence, with a closed connection or with a
 * job that is subtly another one.
 */
import { isUint8Array } from 'node:util/types';
import { gearmanError, invalidArgument, type GearmanError } from '../errors.js';
import { MAX_DATA_BYTES } from './packet.js';

/** libgearman's limit; gearmand closes the connection at about 8 KiB. */
const MAX_FUNCTION_BYTES = 511;
/** gearmand stores 63 and cuts the 64th, after which nothing matches it. */
const MAX_UNIQUE_BYTES = 63;
/** gearmand gives no answer at all to a longer one. */
export const MAX_HANDLE_BYTES = 63;

/** A character that a unique ID may not have, or that takes more than one byte: of one that has none the length says the rest. */
const isOdd = /[\0\x80-\uffff]/;

/** A job's payload: bytes, or a string that is sent as UTF-8. */
export type Workload = string | Uint8Array;

function tooLarge(what: string, bytes: number, limit: number, advice: string): GearmanError {
  const message = `${what} has ${String(bytes)} bytes; the limit is ${String(limit)}. ${advice}`;
  return gearmanError('GEARMAN_ARGUMENT_TOO_LARGE', message);
}

function checkName(what: string, name: unknown): string {
  if (typeof name !== 'string') throw invalidArgument(`${what} must be a string, not ${kindOf(name)}.`);
  if (name.includes('\0'))
    throw invalidArgument(`${what} contains a NUL, which ends an argument in the protocol. Remove it.`);
  if (!name.isWellFormed())
    throw invalidArgument(`${what} has half a surrogate pair, which is no character. Remove it.`);
  return name;
}

/** A function name, or another name under the same rules (`what` says which): 1 to 511 bytes of UTF-8 without NUL. */
export function checkFunction(name: unknown, what = 'The function name'): string {
  const checked = checkName(what, name);
  if (checked === '') throw invalidArgument(`${what} is empty. It has 1 to ${String(MAX_FUNCTION_BYTES)} bytes.`);
  // No character takes more than three bytes a UTF-16 unit, so that most names need no counting.
  if (checked.length * 3 <= MAX_FUNCTION_BYTES) return checked;
  const bytes = Buffer.byteLength(checked);
  if (bytes > MAX_FUNCTION_BYTES) throw tooLarge(what, bytes, MAX_FUNCTION_BYTES, 'Use a shorter one.');
  return checked;
}

/** A unique ID that stands for one job: a job with `'-'`, which gearmand coalesces by workload, cannot be found by it. */
export function checkUniqueOfJob(unique: unknown): string {
  const checked = checkUnique(unique);
  if (checked !== '' && checked !== '-') return checked;
  const what = checked === '' ? 'is empty' : "'-' is that of no job";
  throw invalidArgument(`The unique ID ${what}. Pass the one that the job was submitted with.`);
}

/** A unique ID: up to 63 bytes of UTF-8 without NUL, not `'#'`. */
export function checkUnique(unique: unknown): string {
  if (typeof unique === 'string' && unique.length > 1 && unique.length <= MAX_UNIQUE_BYTES && !isOdd.test(unique))
    return unique;
  const checked = checkName('The unique ID', unique);
  if (checked === '#') {
    throw invalidArgument(
      "The unique ID '#' would merge all jobs of the function. To coalesce by workload, use uniqueFor(workload).",
    );
  }
  if (checked.length * 3 <= MAX_UNIQUE_BYTES) return checked;
  const bytes = Buffer.byteLength(checked);
  if (bytes <= MAX_UNIQUE_BYTES) return checked;
  throw tooLarge('The unique ID', bytes, MAX_UNIQUE_BYTES, 'Use a shorter one, or uniqueFor(id), which is 43 bytes.');
}

/** A workload, or other opaque data (`what` says which): a string or bytes. */
export function checkWorkload(workload: unknown, what = 'The workload'): Workload {
  if (typeof workload !== 'string' && !isUint8Array(workload)) {
    const advice = 'Serialize it first, for example with JSON.stringify.';
    throw invalidArgument(`${what} must be a string or a Uint8Array, not ${kindOf(workload)}. ${advice}`);
  }
  if (workload.length === 0 && typeof workload !== 'string') refuseDetached(workload, what);
  if (workload.length * 3 <= MAX_DATA_BYTES) return workload;
  const bytes = Buffer.byteLength(workload);
  if (bytes > MAX_DATA_BYTES) throw tooLarge(what, bytes, MAX_DATA_BYTES, 'Store it elsewhere and send a reference.');
  return workload;
}

/** Bytes whose memory was transferred to somebody else look as if they were none, and cannot be copied. */
function refuseDetached(bytes: Uint8Array, what: string): void {
  try {
    new Uint8Array(bytes.buffer);
  } catch (cause) {
    throw invalidArgument(`${what} has lost its memory: it was transferred. Pass a copy.`, { cause });
  }
}

/** A job handle: 1 to 63 bytes of printable ASCII. */
export function checkHandle(handle: unknown): string {
  const checked = checkName('The job handle', handle);
  if (checked === '') throw invalidArgument('The job handle is empty. Pass what doBackground resolved to.');
  if (!/^[\x20-\x7e]*$/.test(checked))
    throw invalidArgument('The job handle may contain printable ASCII only. Pass it as it came.');
  if (checked.length <= MAX_HANDLE_BYTES) return checked;
  throw tooLarge('The job handle', checked.length, MAX_HANDLE_BYTES, 'Pass what doBackground resolved to.');
}

/** Options are an object with no other keys than these; `where` says whose. */
export function checkOptions(where: string, options: unknown, keys: readonly string[]): object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidArgument(`The options of ${where} must be an object, not ${kindOf(options)}.`);
  }
  refuseUnknownKeys(where, options, keys);
  return options;
}

/** A whole number of a range. */
export function checkWhole(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw invalidArgument(`The option ${name} must be a whole number from ${String(least)} to ${String(most)}.`);
}

/** A misspelt key would change what a call does without a word; so would one that is inherited. */
export function refuseUnknownKeys(what: string, options: object, keys: readonly string[]): void {
  for (const key in options) {
    if (!keys.includes(key)) throw invalidArgument(`${what} has no option '${key}', only ${keys.join(', ')}.`);
  }
}

/** What a value is, for an error message, without showing it. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : typeof value;
}
