// Bundled by esbuild, with the commands that README.md gives; the bundles run where there is no package.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { readmeBlocks, withJobServer } from '../world.js';

/** @type {import('../world.js').Check} */
const bundles = {
  name: 'esbuild: bundles for CommonJS and as an ES module',
  run: async (world) => {
    const project = await world.project('esbuild');
    const commands = readmeBlocks('sh').filter((block) => block.includes('esbuild'));
    assert.equal(commands.length, 1);
    await project.run(['sh', '-e', '-c', commands.join('')]);
    rmSync(project.path('node_modules'), { recursive: true });
    await withJobServer(async (env) => {
      for (const bundle of ['bundle.cjs', 'bundle.mjs']) {
        assert.equal(await project.run([process.execPath, bundle], { env }), 'used in a bundle\n');
      }
    });
  },
};

export const checks = [bundles];
