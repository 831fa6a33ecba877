/** The example of PHP's manual: a job in the background, and a monitor that polls its status. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { GearmanClient } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';
import { SteppedWorker } from '../support/stepped-worker.js';

const run = promisify(execFile);
const root = new URL('../..', import.meta.url);
const php = (file: string): string => new URL(`php/${file}`, import.meta.url).pathname;

describe('the monitor', () => {
  it('sees the steps of a worker, and then that the job is not known any more', async (t) => {
    const gearmand = await Gearmand.start(t);
    const worker = new SteppedWorker(gearmand.port, 'reverse');
    const client = new GearmanClient(gearmand.name);
    const handle = await client.doBackground('reverse', 'this is a test');
    const job = await worker.grab();
    assert.equal(job.handle, handle);

    const seen: unknown[] = [];
    for (const step of [3, 6, 9, 12]) {
      worker.status(job, step, 14);
      // What was sent before the worker's next request has been done when that is answered.
      await gearmand.ask('version');
      seen.push(await statusOnce(client, handle, step));
    }
    worker.complete(job, 'tset a si siht');
    const last = client.watch(handle, { interval: 5 });
    for await (const { known } of last) if (!known) seen.push(await client.jobStatus(handle));
    assert.deepEqual(seen, [
      [true, true, 3, 14],
      [true, true, 6, 14],
      [true, true, 9, 14],
      [true, true, 12, 14],
      [false, false, 0, 0],
    ]);
    worker.close();
    await client.close();
  });

  it('prints the same lines as that of PHP, with a worker of PHP', async (t) => {
    const gearmand = await Gearmand.start(t);
    const interval = 600;
    const worker = spawn('php', [php('worker.php'), gearmand.name, String(interval / 3)], { stdio: 'ignore' });
    t.after(() => worker.kill('SIGKILL'));
    const theirs = await run('php', [php('monitor.php'), gearmand.name, String(interval)]);
    const env = { ...process.env, GEARMAN_SERVERS: gearmand.name, INTERVAL: String(interval) };
    const ours = await run(process.execPath, ['--import', 'tsx', 'examples/monitor.ts'], { cwd: root, env });
    const form =
      /^(Running: true, numerator: \d+, denominator: (14|0)\n)+Running: false, numerator: 0, denominator: 0\ndone!\n$/;
    // How far the worker is at each question depends on the machine; the lines do not.
    assert.match(ours.stdout, form);
    assert.match(theirs.stdout, form);
  });
});

/** The status once the worker's report has arrived. */
async function statusOnce(client: GearmanClient, handle: string, numerator: number): Promise<unknown> {
  for await (const progress of client.watch(handle, { interval: 5 })) {
    if (progress.numerator === numerator) return client.jobStatus(handle);
  }
  return undefined;
}
