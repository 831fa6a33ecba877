/** The demo: what is seen of it in a pipe and on a terminal, with its own job server and with others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../src/cli/command.js';
import { demo } from '../../src/cli/demo.js';
import { GearmanWorker } from '../../src/index.js';
import { JobServer } from '../../src/server/server.js';
import { stageOf, type Stage } from '../support/cli.js';
import { Clock } from '../support/clock.js';

const LINES = `\
Running: true, numerator: 3, denominator: 14
Running: true, numerator: 6, denominator: 14
Running: true, numerator: 9, denominator: 14
Running: true, numerator: 12, denominator: 14
Running: false, numerator: 0, denominator: 0
tset a si siht
done!
`;

/** Plays it in the time of a clock, and returns how long it took in that, in milliseconds. */
async function play(clock: Clock, stage: Stage): Promise<number> {
  const played = demo.run([], stage);
  await clock.advanceUntil(played);
  await played;
  return clock.now();
}

describe('demo', () => {
  it("writes the lines of PHP's monitor into a pipe, the result and done!, in less than ten seconds", async () => {
    const clock = new Clock();
    const stage = stageOf(clock);
    const ms = await play(clock, stage);
    assert.equal(stage.text(), LINES);
    assert.ok(ms < 9000, `${ms} ms`);
  });

  it('draws a bar on a terminal that grows with each step', async () => {
    const clock = new Clock();
    const stage = stageOf(clock, {}, 80);
    await play(clock, stage);
    const bars = stage.text().split('\r\u001b[K  ').slice(1);
    const full = bars.map((bar) => bar.lastIndexOf('█') + 1);
    assert.deepEqual([...new Set(full)], [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28]);
    assert.match(bars.find((bar) => bar.includes('8 of 14')) ?? '', /^█{16}░{12} {2}8 of 14$/);
    assert.match(bars.at(-1) ?? '', /^█{28} {2}ended\n\ntset a si siht\ndone!\n$/);
    assert.match(
      stage.text(),
      /^A job server listens on 127\.0\.0\.1:\d+.*\n"this is a test" was submitted .* H:server:1\.\n/,
    );
  });

  it('keeps the bar within a narrow terminal', async () => {
    for (const columns of [24, 30, 41]) {
      const clock = new Clock();
      const stage = stageOf(clock, {}, columns);
      await play(clock, stage);
      const bars = stage.text().split('\r\u001b[K').slice(1, -1);
      assert.ok(bars.length > 10, `${bars.length} bars`);
      for (const bar of bars) assert.ok(bar.length < columns, `${bar} in ${columns}`);
    }
  });

  it('draws none where there is no room, or nothing can be written over', async () => {
    for (const [columns, env] of [
      [23, {}],
      [80, { TERM: 'dumb' }],
    ] as const) {
      const clock = new Clock();
      const stage = stageOf(clock, env, columns);
      await play(clock, stage);
      assert.equal(stage.text(), LINES);
    }
  });

  it('takes a terminal that says that it has no width for one of 80', async () => {
    const clock = new Clock();
    const stage = stageOf(clock, {}, 0);
    await play(clock, stage);
    assert.match(stage.text(), /█{28} {2}ended/);
  });

  it('uses the job servers in GEARMAN_SERVERS, and leaves nothing there', async (t) => {
    const clock = new Clock();
    const server = await new JobServer({ name: 'mine' }, clock).listen({ port: 0 });
    t.after(() => server.close());
    const stage = stageOf(clock, { GEARMAN_SERVERS: `127.0.0.1:${server.address.port}` });
    const done = server.waitFor({ function: 'reverse' }, 'done', { timeout: 60_000 });
    await play(clock, stage);
    assert.equal(stage.text(), LINES);
    assert.equal((await done).handle, 'H:mine:1');
    assert.deepEqual(server.jobs, []);
  });

  it('says so when another worker has done the job', async (t) => {
    const clock = new Clock();
    const server = await new JobServer({}, clock).listen({ port: 0 });
    const other = new GearmanWorker({ servers: server.address }, clock).addFunction('reverse', () => 'elsewhere');
    t.after(async () => {
      await other.close();
      await server.close();
    });
    await other.start();
    const stage = stageOf(clock, { GEARMAN_SERVERS: `127.0.0.1:${server.address.port}` });
    await play(clock, stage);
    assert.match(stage.text(), /^Running: false, .*\nAnother worker has done it.*\ndone!\n$/);
  });

  it('fails, and leaves nothing open, where no server can be reached', async () => {
    const clock = new Clock();
    const server = await new JobServer({}, clock).listen({ port: 0 });
    const { port } = server.address;
    await server.close();
    const played = demo.run([], stageOf(clock, { GEARMAN_SERVERS: `127.0.0.1:${port}` }));
    const failed = assert.rejects(played, { code: 'GEARMAN_COULD_NOT_CONNECT' });
    await clock.advanceUntil(failed);
    await failed;
  });

  it('takes no arguments', async () => {
    await assert.rejects(demo.run(['fast'], stageOf(new Clock())), UsageError);
    await assert.rejects(demo.run(['--fast'], stageOf(new Clock())), UsageError);
  });
});
