// Packs the package, installs the tarball as a user would, and uses it from JavaScript and TypeScript.
// Needs a fresh `dist`: `npm run check:package` builds it first. Any failure throws.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..', '..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const installed = JSON.parse(readFileSync(path.join(root, 'node_modules/@types/node/package.json'), 'utf8'));
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

const uses = `
  const client = new GearmanClient('127.0.0.1');
  if (typeof client.doBackground !== 'function' || typeof client.jobStatus !== 'function') throw new Error('no methods');
  client.close().then(() => console.log('used'));
`;

const serves = `
  new JobServer().listen({ port: 0 }).then((server) => server.close()).then(() => console.log('used'));
`;

const typescript = `
import { GearmanClient } from 'gearman-client';
import { JobServer, type JobSnapshot } from 'gearman-client/server';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

export async function use(): Promise<void> {
  const client = new GearmanClient('127.0.0.1');
  const h: string = await client.doBackground('f', 'w');
  const [known, running, n, d] = await client.jobStatus(h);
  const exact: [Same<typeof known, boolean>, Same<typeof running, boolean>, Same<typeof n, number>, Same<typeof d, number>] =
    [true, true, true, true];
  // @ts-expect-error -- a handle is a string: this fails where the types are lost
  const wrong: number = await client.doBackground('f', new Uint8Array(1));
  await client.close();
  const server: JobServer = await new JobServer().listen({ port: 0 });
  const job: JobSnapshot = await server.waitFor(h, 'done');
  const name: string = job.function;
  // @ts-expect-error -- there is no such state
  await server.waitFor(h, 'finished');
  console.log(exact, wrong, name);
}
`;

/** How TypeScript users may resolve the package; `file` decides between ES module and CommonJS. */
const consumers = [
  { name: 'nodenext, ES module', file: 'use.mts', options: { module: 'nodenext', moduleResolution: 'nodenext' } },
  { name: 'nodenext, CommonJS', file: 'use.cts', options: { module: 'nodenext', moduleResolution: 'nodenext' } },
  { name: 'bundler', file: 'use.ts', options: { module: 'esnext', moduleResolution: 'bundler' } },
  {
    name: 'node10',
    file: 'use.ts',
    options: { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0', esModuleInterop: true },
  },
];

/**
 * Runs a command to its end and returns what it printed; throws, with all that it printed, when it fails.
 * @param {string} cwd
 * @param {string} command
 * @param {string[]} args
 */
function run(cwd, command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (error !== undefined) throw error;
  assert.equal(status, 0, `${command} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}

/** @param {string} folder */
function pack(folder) {
  const [packed] = JSON.parse(run(root, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder));
  return {
    tarball: path.join(folder, packed.filename),
    files: packed.files.map((/** @type {{ path: string }} */ file) => file.path),
  };
}

/** The package is exactly the compiled sources with their types and maps, the documents, and four files about it. */
function expectedFiles() {
  const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `dist/${file.split(path.sep).join('/').slice(0, -'.ts'.length)}`);
  const compiled = sources.flatMap((file) => [`${file}.js`, `${file}.js.map`, `${file}.d.ts`]);
  const documents = readdirSync(path.join(root, 'docs')).filter((file) => !file.endsWith('.api.md'));
  return [
    ...compiled,
    ...documents.map((file) => `docs/${file}`),
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'package.json',
  ];
}

/**
 * @param {string} folder
 * @param {string} tarball
 */
function install(folder, tarball) {
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true }));
  const types = `@types/node@${installed.version}`;
  run(folder, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball, types);
}

/** @param {string} folder */
function useFromJavaScript(folder) {
  writeFileSync(path.join(folder, 'use.mjs'), `import { GearmanClient } from 'gearman-client';${uses}`);
  writeFileSync(path.join(folder, 'use.cjs'), `const { GearmanClient } = require('gearman-client');${uses}`);
  writeFileSync(path.join(folder, 'serve.mjs'), `import { JobServer } from 'gearman-client/server';${serves}`);
  writeFileSync(path.join(folder, 'serve.cjs'), `const { JobServer } = require('gearman-client/server');${serves}`);
  for (const file of ['use.mjs', 'use.cjs', 'serve.mjs', 'serve.cjs']) {
    assert.equal(run(folder, process.execPath, file).trim(), 'used', `${file} did not run to its end`);
    console.log(`ok: ${file}`);
  }
}

/** @param {string} folder */
function useFromCommandLine(folder) {
  assert.equal(run(folder, 'npx', '--no-install', 'gearman-client', '--version').trim(), manifest.version);
  console.log('ok: npx gearman-client');
}

/** @param {string} folder */
function useFromTypeScript(folder) {
  for (const { name, file, options } of consumers) {
    // No `types` and no `lib`: what the package's types need from Node, they must ask for themselves.
    const strict = { strict: true, noEmit: true, skipLibCheck: false, target: 'es2022' };
    const config = { compilerOptions: { ...strict, ...options }, files: [file] };
    writeFileSync(path.join(folder, file), typescript);
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
    run(folder, process.execPath, tsc, '-p', 'tsconfig.json');
    console.log(`ok: TypeScript, ${name}`);
  }
}

function main() {
  const folder = mkdtempSync(path.join(tmpdir(), 'gearman-client-package-'));
  try {
    const { tarball, files } = pack(folder);
    assert.deepEqual(files.sort(), expectedFiles().sort(), 'the package holds other files than intended');
    console.log(`ok: ${files.length} files in the package`);
    assert.deepEqual(Object.keys(manifest.dependencies).sort(), ['debug', 'uuid']);
    install(folder, tarball);
    useFromJavaScript(folder);
    useFromCommandLine(folder);
    useFromTypeScript(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

main();
