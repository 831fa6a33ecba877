// What a client leaves behind in its process: nothing; and an open one does not keep it alive.
import assert from 'node:assert/strict';
import { nodes, others } from '../runtimes.js';
import { withJobServer } from '../world.js';

/** Each script says this at its end. */
const scripts = {
  'threads.js': 'used in threads',
  'cluster.js': 'used in a cluster',
  'thousand.js': 'left no trace',
  'end.js': 'ended by itself',
};

/** @type {import('../world.js').Check[]} */
const everywhere = [...nodes, ...others].map((runtime) => ({
  name: `hygiene: ${runtime.name}`,
  run: async (world) => {
    const program = [await world.programOf(runtime), ...runtime.args];
    const project = await world.project('hygiene');
    await withJobServer(async (env, { port }) => {
      for (const [script, line] of Object.entries(scripts)) {
        assert.equal((await project.run([...program, script], { env })).trim(), line);
      }
      const byName = { GEARMAN_SERVERS: `localhost:${port}` };
      assert.equal((await project.run([...program, 'end.js'], { env: byName })).trim(), scripts['end.js']);
    });
  },
}));

/**
 * Only Node lets a name be given addresses from within the process.
 * @type {import('../world.js').Check[]}
 */
const twoAddresses = nodes.map((runtime) => ({
  name: `hygiene: ${runtime.name}, by a name with two addresses of which one listens`,
  run: async (world) => {
    const command = [await world.programOf(runtime), '--import', './two-addresses.js', 'end.js'];
    const project = await world.project('hygiene');
    await withJobServer(async (_env, { port }) => {
      const env = { GEARMAN_SERVERS: `two-addresses.example:${port}` };
      assert.equal((await project.run(command, { env })).trim(), scripts['end.js']);
    });
  },
}));

export const checks = [...everywhere, ...twoAddresses];
