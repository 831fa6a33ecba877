// A user's tests under Vitest, which needs no configuration, on the lines of Node that it supports.
import { newestNodes } from '../runtimes.js';

/** @type {import('../world.js').Check} */
const asItIs = {
  name: 'vitest: as it is',
  run: async (world) => {
    const project = await world.project('vitest');
    for (const runtime of newestNodes) {
      await project.run([await world.programOf(runtime), 'node_modules/vitest/vitest.mjs', 'run']);
    }
  },
};

export const checks = [asItIs];
