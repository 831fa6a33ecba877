// Used by import and by require(), on every runtime.
import assert from 'node:assert/strict';
import { nodes, others } from '../runtimes.js';
import { withJobServer } from '../world.js';

/** Each script says this at its end. */
const scripts = {
  'import.js': 'used by import',
  'require.cjs': 'used by require()',
  'loop.js': 'came full circle',
  'fail.js': 'failed as documented',
};

/** @type {import('../world.js').Check[]} */
export const checks = [...nodes, ...others].map((runtime) => ({
  name: `runtime: ${runtime.name}`,
  run: async (world) => {
    const program = [await world.programOf(runtime), ...runtime.args];
    const project = await world.project('runtime');
    await withJobServer(async (env) => {
      for (const [script, line] of Object.entries(scripts)) {
        assert.equal((await project.run([...program, script], { env })).trim(), line);
      }
    });
  },
}));
