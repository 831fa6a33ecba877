/** What a million calls at once cost. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Gearmand } from '../support/gearmand.js';

describe('a million submissions at once', () => {
  it('all settle, take at most 700 bytes each while outstanding, and leave nothing', async (t) => {
    const gearmand = await Gearmand.start(t, '-t', '4', '--hashtable-buckets', '1733003');
    const args = ['--expose-gc', '--import', 'tsx', 'test/support/million.ts', gearmand.name];
    // Coverage would be measured, too, and takes memory of its own.
    const env = { ...process.env, NODE_V8_COVERAGE: '' };
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: new URL('../..', import.meta.url),
      env,
    });
    const { bytesEach, handles, grown } = JSON.parse(stdout) as Record<string, number>;
    t.diagnostic(stdout.trim());
    assert.equal(handles, 1_000_000);
    assert.ok(bytesEach !== undefined && bytesEach <= 700, `${bytesEach} bytes each`);
    assert.ok(grown !== undefined && grown <= 20e6, `${grown} bytes more in the end`);
    assert.equal(await gearmand.countJobs('million'), 1_000_001);
  });
});
