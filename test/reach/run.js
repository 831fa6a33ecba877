// Tries the package where its users are: `npm run test:reach [-- part of a name ...]`, for example `-- jest "Node 24"`. Packs it,
// installs the tarball in fresh folders, and prints a line for each check. Needs npm, a registry, and Linux or macOS.
import { checks as esbuild } from './checks/esbuild.js';
import { checks as hygiene } from './checks/hygiene.js';
import { checks as jest } from './checks/jest.js';
import { checks as runtimes } from './checks/runtimes.js';
import { checks as suite } from './checks/suite.js';
import { checks as types } from './checks/types.js';
import { checks as vitest } from './checks/vitest.js';
import { World } from './world.js';

const checks = [...runtimes, ...hygiene, ...types, ...vitest, ...jest, ...esbuild, ...suite];

/**
 * Runs a check, and returns whether it passed.
 * @param {import('./world.js').Check} check
 * @param {World} world
 */
async function passes(check, world) {
  const start = performance.now();
  /** @type {unknown} */
  let failure;
  try {
    await check.run(world);
  } catch (error) {
    failure = error;
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6);
  console.log(`${failure === undefined ? 'ok    ' : 'FAILED'} ${seconds} s  ${check.name}`);
  if (failure !== undefined) console.error(failure);
  return failure === undefined;
}

async function main() {
  const filters = process.argv.slice(2);
  const chosen = checks.filter(({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)));
  const world = await World.create();
  let passed = 0;
  try {
    for (const check of chosen) {
      if (await passes(check, world)) passed += 1;
    }
  } finally {
    world.remove();
  }
  console.log(`\n${passed} passed, ${chosen.length - passed} failed`);
  if (chosen.length === 0) console.error(`No check has one of these in its name: ${filters.join(', ')}`);
  process.exitCode = passed > 0 && passed === chosen.length ? 0 : 1;
}

await main();
