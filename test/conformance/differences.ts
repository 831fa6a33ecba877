/**
 * The one list of what gearmand 1.1.20 does against what this suite demands: the ways of gearmand 2.0, and where a peer would be hurt by
 * those, what spares him. All were tried on Debian's 1.1.20; what is said of 2.0.0 was read in its source.
 */
export const GEARMAND_1_1_20 = {
  /** A worker's functions are looked at one after the other, each from HIGH to LOW. 2.0.0 looks at HIGH in all of them first. */
  'priorities count within a function': true,

  /** SUBMIT_JOB_EPOCH: a worker that sleeps when the time comes sleeps on. 2.0.0 has a timer for each function. */
  'nobody is woken when a time has come': true,

  /**
   * GRAB_JOB finds none where PRE_SLEEP does: a worker goes round and round until that time. Ends with 2.0.0. (Issues 232 and 459 of
   * gearman/gearmand.)
   */
  'a job of later hides low jobs': true,

  /**
   * CAN_DO_TIMEOUT: there is one timer in a connection, here for the first of several jobs that run at a time, in 2.0.0 for the latest.
   */
  'one timer for a connection': true,

  /** CAN_DO_TIMEOUT: the end of a job does not stop its timer, which goes off for whatever is in that memory then. 2.0.0, too. */
  'the timer of a job outlives it': true,

  /** CAN_DO_TIMEOUT: PRE_SLEEP of a worker that still runs a job gives that all the time in the world. 2.0.0, too. */
  'sleep stops the timer': true,

  /**
   * WORK_FAIL goes on as the worker wrote it, and WORK_EXCEPTION to a client that did not ask for it becomes a WORK_FAIL with its first
   * argument, whose end is a NUL. 2.0.0, too.
   */
  'a failure may have a NUL behind the handle': true,

  /** A job that was submitted in the foreground and in the background is dropped when nobody waits for it any more. 2.0.0, too. */
  'background jobs are lost with their last listener': true,

  /**
   * A job that was cancelled, or that everybody has left, stays in the queue until a worker would get it. A submission with its unique ID
   * is acknowledged with its handle, and nothing ever comes of it. 2.0.0, too.
   */
  'submissions join jobs that never start': true,

  /**
   * 64 bytes pass the check and 63 are kept: they never coalesce, and JOB_ASSIGN_UNIQ has one NUL too many in front of the workload.
   * 2.0.0, too.
   */
  'a unique ID of 64 bytes is broken': true,

  /**
   * GET_STATUS and GET_STATUS_UNIQUE of 64 bytes, SUBMIT_JOB_EPOCH beyond int64, CAN_DO_TIMEOUT of over 20 digits, WORK_STATUS with a
   * denominator of over 11: nothing comes, or the connection ends, if its thread looks at the right moment. 2.0.0, too.
   */
  'what it cannot use is not answered': true,

  /** The number is checked as a signed one, and then is an index. The job server is gone. */
  'a packet type above 2147483647 kills it': true,

  /** CAN_DO_TIMEOUT of 20 digits beyond int64: the job server is gone. */
  'a timeout above 9223372036854775807 kills it': true,

  /** `create function` takes it that there is a CR in front of the LF. 2.0.0, too. */
  'a function is created without its last letter': true,

  /** `drop function` frees the function of queued jobs, which can never be run, and point to it. 2.0.0, too. */
  'a dropped function leaves its jobs behind': true,
} as const;

/** Something that a job server may do against what the suite demands. */
export type Difference = keyof typeof GEARMAND_1_1_20;
