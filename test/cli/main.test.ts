/** The command as its users start it: what it prints where, its exit code, and its end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { JobServer } from '../../src/server/server.js';
import { runCli, startCli } from '../support/cli.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

describe('gearman-client', { concurrency: 2 }, () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    it(`${args.join(' ')} lists the commands`, async (t) => {
      const { code, stdout, stderr } = await runCli(t, args);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^Usage: gearman-client <command>[^]*\n {2}demo {4}submits[^]*\n {2}serve {3}runs/);
    });
  }

  it('--version says the version of the package', async (t) => {
    assert.deepEqual(await runCli(t, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('<command> --help says what the command does', async (t) => {
    const { code, stdout, stderr } = await runCli(t, ['serve', '--help']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^Usage: gearman-client serve \[--listen host:port\]\n[^]*In production, run gearmand/);
  });

  for (const [args, message] of [
    [[], 'Which command?'],
    [['dmo'], 'There is no command dmo.'],
    [['serve', '--listen', 'x:y'], '--listen takes host:port'],
    [['demo', '--fast'], "Unknown option '--fast'"],
  ] as const) {
    it(`${args.join(' ')} is a mistake: exit code 2, and help on the standard error`, async (t) => {
      const { code, stdout, stderr } = await runCli(t, args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.ok(stderr.startsWith(message), stderr);
      assert.match(stderr, /\n\nUsage: gearman-client <command>/);
    });
  }

  it('that fails says why, without a stack: exit code 1', async (t) => {
    const other = await new JobServer().listen({ port: 0 });
    t.after(() => other.close());
    const { code, stdout, stderr } = await runCli(t, ['serve', '--listen', String(other.address.port)]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^gearman-client: Cannot listen on .*EADDRINUSE.*\n$/);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`serve ends with ${signal}`, async (t) => {
      const child = startCli(t, ['serve', '--listen', '0']);
      let text = '';
      child.stdout.on('data', (more: string) => {
        text += more;
        if (more.includes('run gearmand')) child.kill(signal);
      });
      assert.deepEqual(await once(child, 'close'), [0, null]);
      assert.match(text, /\nIt has ended\.\n$/);
    });
  }

  it('ends when nobody reads what it prints any more', async (t) => {
    const child = startCli(t, ['demo']);
    child.stdout.once('data', () => child.stdout.destroy());
    assert.deepEqual(await once(child, 'exit'), [1, null]);
  });
});
