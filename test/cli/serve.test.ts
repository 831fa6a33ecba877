/** The job server of the command line: where it listens, what it says, and how it ends. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it, type TestContext } from 'node:test';
import { UsageError } from '../../src/cli/command.js';
import { serve } from '../../src/cli/serve.js';
import { GearmanClient } from '../../src/index.js';
import { nodeRuntime } from '../../src/runtime.js';
import { JobServer } from '../../src/server/server.js';
import { stageOf } from '../support/cli.js';

/** Runs it until the test ends it; the place is what it says. */
async function serving(t: TestContext, ...args: string[]) {
  const stage = stageOf(nodeRuntime);
  const served = serve.run(args, stage);
  t.after(async () => {
    stage.interrupt();
    await served;
  });
  while (!stage.text().includes('gearmand')) await Promise.race([turn(), served]);
  const place = /listens on (\S+)\.\n/.exec(stage.text())?.[1];
  assert.ok(place, stage.text());
  return { stage, served, place };
}

describe('serve', () => {
  for (const [listen, shown] of [
    ['0', /^127\.0\.0\.1:\d+$/],
    ['127.0.0.1:0', /^127\.0\.0\.1:\d+$/],
    ['localhost:0', /^(127\.0\.0\.1|\[::1\]):\d+$/],
    ['[::1]:0', /^\[::1\]:\d+$/],
  ] as const) {
    it(`listens on ${listen}, and works there`, async (t) => {
      const { place } = await serving(t, '--listen', listen);
      assert.match(place, shown);
      await using client = new GearmanClient(place);
      assert.equal(await client.doBackground('f', 'w'), 'H:server:1');
    });
  }

  it('says what it is and that it keeps nothing, and ends when it is interrupted', async (t) => {
    const { stage, served, place } = await serving(t, '--listen', '0');
    stage.interrupt();
    await served;
    assert.equal(
      stage.text(),
      `A Gearman job server for development listens on ${place}.\n` +
        'It keeps its jobs in memory alone: when it ends, they are gone. In production, run gearmand.\n' +
        'It has ended.\n',
    );
    await using client = new GearmanClient({ servers: place, timeout: 1000 });
    await assert.rejects(client.doBackground('f', 'w'), { code: 'GEARMAN_COULD_NOT_CONNECT' });
  });

  it('fails where it cannot listen', async (t) => {
    const other = await new JobServer().listen({ port: 0 });
    t.after(() => other.close());
    const taken = `127.0.0.1:${other.address.port}`;
    await assert.rejects(serve.run(['--listen', taken], stageOf(nodeRuntime)), {
      code: 'GEARMAN_INVALID_ARGUMENT',
      message: new RegExp(`${taken}: .*EADDRINUSE`),
    });
  });

  it('refuses what it does not know', async () => {
    for (const args of [
      ['--listen', 'a:b'],
      ['--listen', 'a:65536'],
      ['--listen', '65536'],
      ['--listen', '::1'],
      ['--listen'],
      ['--port', '1'],
      ['4730'],
    ]) {
      await assert.rejects(serve.run(args, stageOf(nodeRuntime)), UsageError, args.join(' '));
    }
  });
});
