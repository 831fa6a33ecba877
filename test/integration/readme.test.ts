/** Every code block of README.md works as pasted. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Gearmand } from '../support/gearmand.js';
import { SteppedWorker } from '../support/stepped-worker.js';

const root = path.join(import.meta.dirname, '..', '..');
const readme = await readFile(path.join(root, 'README.md'), 'utf8');

const blocksOf = (language: string): string[] =>
  Array.from(readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms')), ([, code = '']) => code);

/** Reverses texts for as long as jobs come. */
async function work(worker: SteppedWorker): Promise<never> {
  for (;;) {
    const job = await worker.grab();
    worker.status(job, job.workload.length, job.workload.length);
    worker.complete(job, job.workload.toReversed());
  }
}

describe('README.md', () => {
  const blocks = blocksOf('ts');

  it('has examples', () => {
    assert.ok(blocks.length >= 5);
  });

  for (const code of blocks) {
    const title = code.split('\n').find((line) => line.includes('client.') || line.includes('subscribe(')) ?? code;
    it(`runs: ${title.trim()}`, async (t) => {
      const gearmand = await Gearmand.start(t);
      const worker = new SteppedWorker(gearmand.port, 'reverse');
      void work(worker);
      // Inside the repository, where the package is found by its name.
      const folder = await mkdtemp(path.join(root, 'test', 'readme-'));
      t.after(() => rm(folder, { recursive: true }));
      t.after(() => {
        worker.close();
      });
      const file = path.join(folder, 'example.ts');
      await writeFile(file, code);
      const env = { ...process.env, GEARMAN_SERVERS: gearmand.name };
      const args = ['--import', 'tsx', '--unhandled-rejections=strict', file];
      const { stderr, stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
      assert.equal(stderr, '');
      if (code.includes('.watch(')) assert.match(stdout, /done!\n$/);
    });
  }

  it('names commands that exist', async () => {
    const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { scripts: object };
    const commands =
      blocksOf('sh')
        .join('\n')
        .match(/npm (run \w+|test)/g) ?? [];
    assert.ok(commands.length >= 2);
    for (const command of commands) assert.ok(command.replace(/npm (run )?/, '') in scripts, command);
  });
});
