// A user's tests under Jest, configured as README.md says.
import { writeFileSync } from 'node:fs';
import { newestNodes, outermostNodes } from '../runtimes.js';
import { readmeRecipe } from '../world.js';

const jest = ['node_modules/jest/bin/jest.js', '--ci'];

/** With these, Jest can load ES modules as Node does. */
const withVmModules = newestNodes.filter(({ version }) => Number.parseInt(version) >= 24);

/** @type {import('../world.js').Check} */
const withBabel = {
  name: 'jest: Babel',
  run: async (world) => {
    const project = await world.project('jest-babel');
    writeFileSync(project.path('babel.config.js'), readmeRecipe('babel.config.js'));
    writeFileSync(project.path('jest.config.js'), readmeRecipe('jest.config.js, with Babel'));
    for (const runtime of outermostNodes) await project.run([await world.programOf(runtime), ...jest]);
  },
};

/** The two ways in which ts-jest compiles JavaScript, each with a kind of module that goes with it. */
const tsJestOptions = [
  { allowJs: true, module: 'esnext', moduleResolution: 'bundler', esModuleInterop: true },
  { isolatedModules: true, module: 'nodenext' },
];

/** @type {import('../world.js').Check[]} */
const withTsJest = tsJestOptions.map((options) => ({
  name: `jest: ts-jest with ${Object.keys(options)[0]}`,
  run: async (world) => {
    const project = await world.project('jest-ts');
    writeFileSync(project.path('jest.config.js'), readmeRecipe('jest.config.js, with ts-jest'));
    const compilerOptions = { strict: true, target: 'es2022', types: ['node'], ...options };
    writeFileSync(project.path('tsconfig.json'), JSON.stringify({ compilerOptions }));
    for (const runtime of outermostNodes) await project.run([await world.programOf(runtime), ...jest]);
  },
}));

/** @type {import('../world.js').Check} */
const withoutRecipe = {
  name: 'jest: without the recipe, on new Nodes',
  run: async (world) => {
    const project = await world.project('jest-babel');
    // For the tests' own imports.
    writeFileSync(project.path('babel.config.js'), readmeRecipe('babel.config.js'));
    for (const runtime of withVmModules) {
      await project.run([await world.programOf(runtime), '--experimental-vm-modules', ...jest]);
    }
  },
};

export const checks = [withBabel, ...withTsJest, withoutRecipe];
