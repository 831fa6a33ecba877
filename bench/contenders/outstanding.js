// How contenders keep a number of calls outstanding: each that is done begins the next.

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
