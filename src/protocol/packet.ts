/**
 * The packets of Gearman's binary protocol: a header of 12 bytes (magic, type, length of the body; big-endian) and a body whose
 * arguments are separated by NUL. The last argument has no NUL behind it and may contain some where it is opaque data.
 * Source: PROTOCOL in gearman/gearmand, and libgearman's `command.cc` for what that text leaves out.
 */

/** Who may send a packet. What goes to the job server is a request, what comes from it a response. */
type Sender = 'client' | 'worker' | 'server';

/** One line of the table. */
export interface PacketType {
  readonly number: number;
  readonly name: string;
  readonly senders: readonly Sender[];
  /** The arguments in front of the data, by PROTOCOL's names. */
  readonly args: readonly string[];
  /** What the opaque last argument is, where the type has one. */
  readonly data: string | undefined;
}

const row = (name: string, senders: readonly Sender[], args: readonly string[] = [], data?: string) =>
  ({ name, senders, args, data }) as const;

const SUBMIT = ['function', 'unique'];
const REDUCE = ['function', 'unique', 'reducer', 'aggregator'];
const STATUS = ['known', 'running', 'numerator', 'denominator'];

/** Indexed by type number; 0 and 5 are unassigned. */
const TABLE = [
  undefined,
  row('CAN_DO', ['worker'], ['function']),
  row('CANT_DO', ['worker'], ['function']),
  row('RESET_ABILITIES', ['worker']),
  row('PRE_SLEEP', ['worker']),
  undefined,
  row('NOOP', ['server']),
  row('SUBMIT_JOB', ['client'], SUBMIT, 'workload'),
  row('JOB_CREATED', ['server'], ['handle']),
  row('GRAB_JOB', ['worker']),
  row('NO_JOB', ['server']),
  row('JOB_ASSIGN', ['server'], ['handle', 'function'], 'workload'),
  row('WORK_STATUS', ['worker', 'server'], ['handle', 'numerator', 'denominator']),
  row('WORK_COMPLETE', ['worker', 'server'], ['handle'], 'result'),
  row('WORK_FAIL', ['worker', 'server'], ['handle']),
  row('GET_STATUS', ['client'], ['handle']),
  row('ECHO_REQ', ['client', 'worker'], [], 'data'),
  row('ECHO_RES', ['server'], [], 'data'),
  row('SUBMIT_JOB_BG', ['client'], SUBMIT, 'workload'),
  row('ERROR', ['server'], ['code', 'text']),
  row('STATUS_RES', ['server'], ['handle', ...STATUS]),
  row('SUBMIT_JOB_HIGH', ['client'], SUBMIT, 'workload'),
  row('SET_CLIENT_ID', ['worker'], ['id']),
  row('CAN_DO_TIMEOUT', ['worker'], ['function', 'timeout']),
  row('ALL_YOURS', ['worker']),
  row('WORK_EXCEPTION', ['worker', 'server'], ['handle'], 'exception'),
  row('OPTION_REQ', ['client', 'worker'], ['option']),
  row('OPTION_RES', ['server'], ['option']),
  row('WORK_DATA', ['worker', 'server'], ['handle'], 'data'),
  row('WORK_WARNING', ['worker', 'server'], ['handle'], 'warning'),
  row('GRAB_JOB_UNIQ', ['worker']),
  row('JOB_ASSIGN_UNIQ', ['server'], ['handle', 'function', 'unique'], 'workload'),
  row('SUBMIT_JOB_HIGH_BG', ['client'], SUBMIT, 'workload'),
  row('SUBMIT_JOB_LOW', ['client'], SUBMIT, 'workload'),
  row('SUBMIT_JOB_LOW_BG', ['client'], SUBMIT, 'workload'),
  row(
    'SUBMIT_JOB_SCHED',
    ['client'],
    [...SUBMIT, 'minute', 'hour', 'day of month', 'month', 'day of week'],
    'workload',
  ),
  row('SUBMIT_JOB_EPOCH', ['client'], [...SUBMIT, 'time'], 'workload'),
  row('SUBMIT_REDUCE_JOB', ['client'], REDUCE, 'workload'),
  row('SUBMIT_REDUCE_JOB_BACKGROUND', ['client'], REDUCE, 'workload'),
  row('GRAB_JOB_ALL', ['worker']),
  row('JOB_ASSIGN_ALL', ['server'], ['handle', 'function', 'unique', 'reducer'], 'workload'),
  row('GET_STATUS_UNIQUE', ['client'], ['unique']),
  row('STATUS_RES_UNIQUE', ['server'], ['unique', ...STATUS, 'waiting clients']),
];

/** The line of the table for a type number; none for a number that is unassigned. */
export const PACKET_TYPES: readonly (PacketType | undefined)[] = TABLE.map(
  (line, number) => line && { number, ...line },
);

/** The numbers that this package's code names. */
export const TYPE = {
  /** Unassigned: what came with the magic of the other direction. */
  FOREIGN: 0,
  CAN_DO: 1,
  CANT_DO: 2,
  RESET_ABILITIES: 3,
  PRE_SLEEP: 4,
  NOOP: 6,
  SUBMIT_JOB: 7,
  JOB_CREATED: 8,
  GRAB_JOB: 9,
  NO_JOB: 10,
  JOB_ASSIGN: 11,
  WORK_STATUS: 12,
  WORK_COMPLETE: 13,
  WORK_FAIL: 14,
  GET_STATUS: 15,
  ECHO_REQ: 16,
  ECHO_RES: 17,
  SUBMIT_JOB_BG: 18,
  ERROR: 19,
  STATUS_RES: 20,
  SUBMIT_JOB_HIGH: 21,
  SET_CLIENT_ID: 22,
  CAN_DO_TIMEOUT: 23,
  WORK_EXCEPTION: 25,
  OPTION_REQ: 26,
  OPTION_RES: 27,
  WORK_DATA: 28,
  WORK_WARNING: 29,
  GRAB_JOB_UNIQ: 30,
  JOB_ASSIGN_UNIQ: 31,
  SUBMIT_JOB_HIGH_BG: 32,
  SUBMIT_JOB_LOW: 33,
  SUBMIT_JOB_LOW_BG: 34,
  SUBMIT_JOB_EPOCH: 36,
  SUBMIT_REDUCE_JOB: 37,
  SUBMIT_REDUCE_JOB_BACKGROUND: 38,
  GRAB_JOB_ALL: 39,
  JOB_ASSIGN_ALL: 40,
  GET_STATUS_UNIQUE: 41,
  STATUS_RES_UNIQUE: 42,
} as const;

/** The direction of a packet, by its magic: `\0REQ` goes to the job server, `\0RES` comes from it. */
export type Magic = 'REQ' | 'RES';

/** The first four bytes of a packet as a number. */
export const MAGIC_NUMBER: Readonly<Record<Magic, number>> = { REQ: 0x00524551, RES: 0x00524553 };

/** Length of every packet's header in bytes: magic, type and length of the body. */
export const HEADER_BYTES = 12;

/** What a packet may hold besides its data: names, IDs, separators. gearmand reads them into a buffer of this size. */
export const ARGUMENT_BYTES = 8192;

/** The most data in a packet: its length is an unsigned 32-bit number, of which the arguments take a part. */
export const MAX_DATA_BYTES: number = 0xffff_ffff - ARGUMENT_BYTES;

/** `JOB_CREATED`, or the number where there is no such type. */
export function nameOfType(number: number): string {
  return PACKET_TYPES[number]?.name ?? `packet type ${String(number)}`;
}
