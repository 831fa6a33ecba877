/** Every example of the documents works as pasted. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { GearmanClient } from '../../src/client/client.js';
import { GearmanWorker } from '../../src/worker/worker.js';
import { Gearmand } from '../support/gearmand.js';

const root = path.join(import.meta.dirname, '..', '..');
const read = (file: string): Promise<string> => readFile(path.join(root, file), 'utf8');
const readme = await read('README.md');

const blocksOf = (text: string, language: string): string[] =>
  Array.from(text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms')), ([, code = '']) => code);

/** As users of Nest have it; and the package is found by its name. */
const TSCONFIG = { extends: '../../tsconfig.json', compilerOptions: { experimentalDecorators: true } };

/** Puts the example into a file; returns what Node needs to run it against that job server. */
async function prepare(t: TestContext, code: string, server: { readonly name: string }) {
  const folder = await mkdtemp(path.join(root, 'test', 'example-'));
  t.after(() => rm(folder, { recursive: true }));
  const [file, tsconfig] = [path.join(folder, 'example.ts'), path.join(folder, 'tsconfig.json')];
  await writeFile(file, code);
  await writeFile(tsconfig, JSON.stringify(TSCONFIG));
  const env = {
    ...process.env,
    GEARMAN_SERVERS: server.name,
    TSX_TSCONFIG_PATH: tsconfig,
    NODE_TEST_CONTEXT: undefined,
  };
  return { args: ['--import', 'tsx', '--unhandled-rejections=strict', file], options: { cwd: root, env } };
}

/** Runs an example that ends by itself, while a worker reverses texts. */
async function runToItsEnd(t: TestContext, code: string): Promise<void> {
  const gearmand = await Gearmand.start(t);
  const worker = new GearmanWorker(gearmand.name);
  worker.addFunction('reverse', (job) => {
    job.sendStatus(1, 1);
    return job.workload.toReversed();
  });
  await worker.start();
  t.after(() => worker.close());
  const { args, options } = await prepare(t, code, gearmand);
  const { stderr, stdout } = await promisify(execFile)(process.execPath, args, options);
  assert.equal(stderr, '');
  if (code.includes('.watch(')) assert.match(stdout, /done!\n$/);
}

/** Runs an example that brings its job server along. */
async function runAlone(t: TestContext, code: string): Promise<void> {
  const { args, options } = await prepare(t, code, { name: '127.0.0.1:1' });
  const { stderr, stdout } = await promisify(execFile)(process.execPath, args, options);
  assert.equal(stderr, '');
  // The test runner of Node 24 writes another sign than that of Node 20.
  assert.match(stdout, /^[#ℹ] pass [1-9]/m);
}

/** What a function of the examples gets; what is to be fetched may not be there. */
async function workloadFor(t: TestContext, name: string, isThere: boolean): Promise<string> {
  if (name !== 'fetch') return 'this is a test';
  const answer: http.RequestListener = ({ socket }, response) => {
    if (isThere) response.end('here');
    else socket.destroy();
  };
  const server = http.createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
}

/** Runs an example of a worker until it has done a job, after which so many are left, and ends it as a supervisor does. */
async function runAsWorker(t: TestContext, code: string, left = 0): Promise<void> {
  const gearmand = await Gearmand.start(t);
  const client = new GearmanClient(gearmand.name);
  t.after(() => client.close());
  const name = /addFunction\('(\w+)'/.exec(code)?.[1] ?? assert.fail('the example has no function');
  const job = await client.submitBackground(name, await workloadFor(t, name, left === 0));
  const { args, options } = await prepare(t, code, gearmand);
  const child = spawn(process.execPath, args, { ...options, stdio: 'inherit' });
  const ended = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  for await (const { known } of job.watch({ interval: 20 })) if (!known) break;
  child.kill('SIGTERM');
  // Nest ends the process with the signal again when it has shut down.
  assert.deepEqual(await ended, code.includes('enableShutdownHooks') ? [null, 'SIGTERM'] : [0, null]);
  assert.equal((await gearmand.status(name)).jobs, left);
}

/** Examples show what they need. */
function runnerOf(code: string): (t: TestContext, code: string) => Promise<void> {
  if (code.includes('new JobServer')) return runAlone;
  return code.includes('new GearmanWorker') ? runAsWorker : runToItsEnd;
}

for (const [file, count] of [
  ['README.md', 7],
  ['docs/worker.md', 5],
  ['docs/server.md', 2],
] as const) {
  const blocks = blocksOf(await read(file), 'ts');

  describe(file, () => {
    it('has examples', () => {
      assert.ok(blocks.length >= count, `${blocks.length} of ${count}`);
    });

    for (const code of blocks) {
      const title = code.split('\n').find((line) => /^test\(|client\.|subscribe\(|addFunction\(/.test(line)) ?? code;
      it(`runs: ${title.trim()}`, (t) => runnerOf(code)(t, code));
      if (!code.includes('{ at }')) continue;
      it('tries again later what fails', (t) => runAsWorker(t, code, 1));
    }
  });
}

describe('README.md', () => {
  it('names commands that exist', async () => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: object };
    const commands =
      blocksOf(readme, 'sh')
        .join('\n')
        .match(/npm (run \w+|test)/g) ?? [];
    assert.ok(commands.length >= 2, commands.join());
    for (const command of commands) assert.ok(command.replace(/npm (run )?/, '') in scripts, command);
  });
});
