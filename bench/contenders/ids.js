import { randomUUID } from 'node:crypto';

/**
 * IDs of 36 bytes, each in one piece: those that are put together from parts would be joined while the clock runs.
 * @param {number} count
 */
export const makeIds = (count) => Array.from({ length: count }, () => Buffer.from(randomUUID()).toString('latin1'));
