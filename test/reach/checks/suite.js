// The tests of this repository on the other lines of Node.
import { newestNodes } from '../runtimes.js';
import { run } from '../project.js';
import { root } from '../world.js';

/** @type {import('../world.js').Check[]} */
export const checks = newestNodes.map((runtime) => ({
  name: `suite: ${runtime.name}`,
  run: async (world) => {
    const output = await run(root, [await world.programOf(runtime), 'test/run.js'], { timeoutMs: 900_000 });
    // What could not be run without gearmand.
    for (const line of output.match(/^left out: .*$/gm) ?? []) console.log(line);
  },
}));
