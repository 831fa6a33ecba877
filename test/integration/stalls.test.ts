/** Time in which the client's own event loop stood still does not count: no call times out whose answer was there. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { GearmanClient } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';

const root = new URL('../..', import.meta.url);
const ARGS = ['--import', 'tsx', 'test/support/stall.ts'];

/** Whether a process is stopped, as the kernel says. */
function isStopped(pid: number): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.startsWith('T') === true;
}

describe('while 20,000 answers wait', () => {
  it('the event loop may be blocked for 5 s with a timeout of 2 s', async (t) => {
    const gearmand = await Gearmand.start(t);
    const { stdout } = await promisify(execFile)(process.execPath, [...ARGS, gearmand.name, 'block', '20000'], {
      cwd: root,
    });
    assert.deepEqual(JSON.parse(stdout), { answered: 20_000 });
  });

  it('the process may be stopped for 10 s with a timeout of 2 s', async (t) => {
    const gearmand = await Gearmand.start(t);
    const client = spawn(process.execPath, [...ARGS, gearmand.name, 'stop', '20000'], { cwd: root });
    t.after(() => client.kill('SIGKILL'));
    const { pid } = client;
    assert.ok(pid !== undefined);
    // The process stops itself, of which only the kernel tells.
    while (!isStopped(pid)) await sleep(20);
    // This time must pass: it is what is tested.
    await sleep(10_000);
    client.kill('SIGCONT');
    let stdout = '';
    for await (const chunk of client.stdout) stdout += String(chunk);
    assert.deepEqual(JSON.parse(stdout), { answered: 20_000 });
  });
});

describe('a block of the event loop', () => {
  it('that ends just after the deadline times no call out whose answer is there', async (t) => {
    const gearmand = await Gearmand.start(t);
    const client = new GearmanClient(gearmand.name);
    t.after(() => {
      client.destroy();
    });
    await client.doBackground('f', 'first');
    for (let round = 0; round < 8; round++) {
      const call = client.doBackground('f', 'w', { timeout: 90 });
      // Its request is written in a microtask; gearmand answers while we compute.
      await new Promise(setImmediate);
      const end = performance.now() + 105;
      while (performance.now() < end);
      await call;
    }
  });
});
