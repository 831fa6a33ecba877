/** The packets of Gearman, once more: the suite shares no line with the code that it examines. Bytes are latin1 strings. */

/** Number of each type, and how many arguments its packet has, the data included. The reader needs the latter of responses alone. */
const TYPES = {
  CAN_DO: [1, 1],
  CANT_DO: [2, 1],
  RESET_ABILITIES: [3, 0],
  PRE_SLEEP: [4, 0],
  NOOP: [6, 0],
  SUBMIT_JOB: [7, 3],
  JOB_CREATED: [8, 1],
  GRAB_JOB: [9, 0],
  NO_JOB: [10, 0],
  JOB_ASSIGN: [11, 3],
  WORK_STATUS: [12, 3],
  WORK_COMPLETE: [13, 2],
  WORK_FAIL: [14, 1],
  GET_STATUS: [15, 1],
  ECHO_REQ: [16, 1],
  ECHO_RES: [17, 1],
  SUBMIT_JOB_BG: [18, 3],
  ERROR: [19, 2],
  STATUS_RES: [20, 5],
  SUBMIT_JOB_HIGH: [21, 3],
  SET_CLIENT_ID: [22, 1],
  CAN_DO_TIMEOUT: [23, 2],
  ALL_YOURS: [24, 0],
  WORK_EXCEPTION: [25, 2],
  OPTION_REQ: [26, 1],
  OPTION_RES: [27, 1],
  WORK_DATA: [28, 2],
  WORK_WARNING: [29, 2],
  GRAB_JOB_UNIQ: [30, 0],
  JOB_ASSIGN_UNIQ: [31, 4],
  SUBMIT_JOB_HIGH_BG: [32, 3],
  SUBMIT_JOB_LOW: [33, 3],
  SUBMIT_JOB_LOW_BG: [34, 3],
  SUBMIT_JOB_SCHED: [35, 8],
  SUBMIT_JOB_EPOCH: [36, 4],
  SUBMIT_REDUCE_JOB: [37, 5],
  SUBMIT_REDUCE_JOB_BACKGROUND: [38, 5],
  GRAB_JOB_ALL: [39, 0],
  JOB_ASSIGN_ALL: [40, 5],
  GET_STATUS_UNIQUE: [41, 1],
  STATUS_RES_UNIQUE: [42, 6],
} as const;

/** Name of a packet type. */
export type Type = keyof typeof TYPES;

/** Something that a peer was sent: type and arguments of a packet, or `TEXT` and a line with what ends it. */
export type Item = readonly [type: Type | 'TEXT', ...args: string[]];

const HEADER_BYTES = 12;

const names = new Map(Object.entries(TYPES).map(([name, [number, count]]) => [number, { name: name as Type, count }]));

/** A packet with that body; the type by its number, so that there need not be one. */
export function frame(number: number, body = '', magic = '\0REQ'): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(magic, 'latin1');
  header.writeUInt32BE(number, 4);
  header.writeUInt32BE(body.length, 8);
  return Buffer.concat([header, Buffer.from(body, 'latin1')]);
}

/** A request. */
export function request(type: Type, ...args: string[]): Buffer {
  return frame(TYPES[type][0], args.join('\0'));
}

/** The number of a type. */
export function numberOf(type: Type): number {
  return TYPES[type][0];
}

/** What stands first in the bytes, and how many of them it takes; nothing while it has not come whole. */
export function readItem(bytes: Buffer): { item: Item; length: number } | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] !== 0) {
    const end = bytes.indexOf('\n');
    return end === -1 ? undefined : { item: ['TEXT', bytes.toString('latin1', 0, end + 1)], length: end + 1 };
  }
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = HEADER_BYTES + bytes.readUInt32BE(8);
  if (bytes.length < length) return undefined;
  return { item: readPacket(bytes, bytes.toString('latin1', HEADER_BYTES, length)), length };
}

function readPacket(header: Buffer, body: string): Item {
  const magic = header.toString('latin1', 0, 4);
  const type = names.get(header.readUInt32BE(4) as never);
  if (magic !== '\0RES' || type === undefined) {
    throw new Error(`no response of Gearman begins with ${header.toString('hex', 0, HEADER_BYTES)}`);
  }
  const parts = body.split('\0');
  const args = type.count === 0 ? [] : parts.splice(0, type.count - 1);
  if (type.count > 0 || body !== '') args.push(parts.join('\0'));
  return [type.name, ...args];
}
