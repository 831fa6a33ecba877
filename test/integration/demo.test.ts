/** The demo on a real job server. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runCli } from '../support/cli.js';
import { Gearmand } from '../support/gearmand.js';

it('the demo works with gearmand, and leaves nothing there', async (t) => {
  const gearmand = await Gearmand.start(t);
  const { code, stdout, stderr } = await runCli(t, ['demo'], { GEARMAN_SERVERS: gearmand.name });
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(
    stdout,
    /^(Running: true, numerator: \d+, denominator: 14\n)+Running: false, numerator: 0, denominator: 0\ntset a si siht\ndone!\n$/,
  );
  assert.match((await gearmand.ask('status')).join(), /^reverse\t0\t0\t\d$/);
});
