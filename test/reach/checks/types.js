// The types, for every way in which TypeScript may look for them.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { readmeBlocks } from '../world.js';

const tsc = [process.execPath, 'node_modules/typescript/bin/tsc', '--project'];
const withLibCheck = ['--skipLibCheck', 'false'];
const withoutLibCheck = ['--skipLibCheck', 'true'];

/** Each with the types of another Node. */
const compilers = [
  { typescript: '5.4.5', node: '20.19.43', resolutions: ['node10', 'bundler'] },
  { typescript: '5.9.3', node: '22.20.5', resolutions: ['nodenext', 'bundler'] },
  { typescript: '6.0.3', node: '24.19.2', resolutions: ['nodenext', 'bundler'] },
  { typescript: '7.0.2', node: '26.6.6', resolutions: ['nodenext', 'bundler'] },
];

/** @type {import('../world.js').Check[]} */
const withNodeTypes = compilers.map(({ typescript, node, resolutions }) => ({
  name: `types: TypeScript ${typescript}, ${resolutions.join(', ')}`,
  run: async (world) => {
    const project = await world.project('types', [`typescript@${typescript}`, `@types/node@${node}`]);
    const examples = readmeBlocks('ts');
    for (const [index, code] of examples.entries()) writeFileSync(project.path(`readme-${index}.ts`), code);
    for (const resolution of resolutions) await project.run([...tsc, `tsconfig.${resolution}.json`, ...withLibCheck]);
  },
}));

/** @type {import('../world.js').Check[]} */
const withoutNodeTypes = compilers.map(({ typescript, resolutions: [resolution] }) => ({
  name: `types: TypeScript ${typescript}, ${resolution}, without @types/node`,
  run: async (world) => {
    const project = await world.project('types', [`typescript@${typescript}`]);
    const command = [...tsc, `tsconfig.${resolution}.json`];
    assert.match(
      await project.runToFailure([...command, ...withLibCheck]),
      /gearman-client.*Cannot find type definition file for 'node'/,
    );
    await project.run([...command, ...withoutLibCheck]);
  },
}));

/** @type {import('../world.js').Check} */
const commonjs = {
  name: 'types: CommonJS under nodenext from TypeScript 5.8 on',
  run: async (world) => {
    const old = await world.project('types', ['typescript@5.7.3', '@types/node@20.19.43']);
    const errors = (await old.runToFailure([...tsc, 'tsconfig.nodenext.json'])).match(/^.*error TS.*$/gm) ?? [];
    assert.ok(
      errors.length > 0 && errors.every((error) => /^use\.cts.* TS(1471|1479): /.test(error)),
      errors.join('\n'),
    );
    const able = await world.project('types', ['typescript@5.8.3', '@types/node@20.19.43']);
    await able.run([...tsc, 'tsconfig.nodenext.json']);
  },
};

export const checks = [...withNodeTypes, ...withoutNodeTypes, commonjs];
