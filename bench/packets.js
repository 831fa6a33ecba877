// What the bench says on the wire by itself: for the bare socket and the null server.

export const HEADER_BYTES = 12;

/** Type numbers that the bench reads or writes. */
export const TYPE = {
  CAN_DO: 1,
  PRE_SLEEP: 4,
  NOOP: 6,
  SUBMIT_JOB: 7,
  JOB_CREATED: 8,
  GRAB_JOB: 9,
  JOB_ASSIGN: 11,
  WORK_COMPLETE: 13,
  GET_STATUS: 15,
  ECHO_REQ: 16,
  ECHO_RES: 17,
  SUBMIT_JOB_BG: 18,
  STATUS_RES: 20,
  SET_CLIENT_ID: 22,
  OPTION_REQ: 26,
  OPTION_RES: 27,
  GRAB_JOB_UNIQ: 30,
  JOB_ASSIGN_UNIQ: 31,
};

/**
 * One packet; NULs between the arguments.
 * @param {'REQ' | 'RES'} magic
 * @param {number} type
 * @param {...(string | Uint8Array)} args
 */
export function packet(magic, type, ...args) {
  const header = Buffer.alloc(HEADER_BYTES);
  const body = args.flatMap((argument, index) => [...(index === 0 ? [] : [Buffer.of(0)]), Buffer.from(argument)]);
  header.write(magic, 1);
  header.writeUInt32BE(type, 4);
  header.writeUInt32BE(
    body.reduce((sum, { length }) => sum + length, 0),
    8,
  );
  return Buffer.concat([header, ...body]);
}
