// How contenders keep a number of calls outstanding: each that is done begins the next.
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * For clients that call back.
 * @param {number} calls
 * @param {number} outstanding
 * @param {(index: number, done: () => void) => void} begin - makes the call with this number
 * @returns {Promise<void>}
 */
export function byCallback(calls, outstanding, begin) {
  return new Promise((resolve) => {
    let begun = 0;
    let finished = 0;
    const done = () => {
      finished++;
      if (begun < calls) begin(begun++, done);
      else if (finished === calls) resolve();
    };
    while (begun < Math.min(calls, outstanding)) begin(begun++, done);
  });
}

/**
 * For clients that return promises: so many loops that await one call after the other.
 * @param {number} calls
 * @param {number} outstanding
 * @param {(index: number) => Promise<unknown>} call
 */
export async function byPromise(calls, outstanding, call) {
  let begun = 0;
  const loop = async () => {
    while (begun < calls) await call(begun++);
  };
  await Promise.all(Array.from({ length: Math.min(calls, outstanding) }, loop));
}

/**
 * For workers, which take what the server hands out. The first run starts them, so that its time holds the connecting, too; between two
 * runs they go on, uncounted.
 * @param {(onJob: () => void) => unknown} start - starts the worker; its handler is to call back for each job
 */
export function byJobs(start) {
  let done = 0;
  let calls = 0;
  let resolve = () => {};
  let isStarted = false;
  const onJob = () => {
    if (++done === calls) resolve();
  };
  /** @param {number} count */
  const run = (count) => {
    done = 0;
    calls = count;
    const finished = new Promise((/** @type {(value: void) => void} */ whenFinished) => (resolve = whenFinished));
    if (!isStarted) start(onJob);
    isStarted = true;
    return finished;
  };
  /**
   * @param {number} most
   * @param {number} seconds
   */
  const drain = async (most, seconds) => {
    await Promise.race([run(most), sleep(seconds * 1000)]);
    return done;
  };
  return { run, drain };
}
