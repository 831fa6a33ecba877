/**
 * How far a job is, as the server says it: two counts. Perl's job server leaves them empty
 * where no worker has said anything, and passes on what workers say.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import { assertDestroyed, proven } from '../support/client.js';
import { jobCreated, statusRes, type PeerStatus } from '../support/peer.js';

describe('the client', () => {
  it('reads counts as large as a server has them', async (t) => {
    const { client, connection } = await proven(t);
    const status = client.jobStatus('H:proof');
    await connection.received(2);
    connection.send(statusRes('H:proof', [true, true, 4_294_967_295, 4_294_967_295]));
    assert.deepEqual(await status, [true, true, 4_294_967_295, 4_294_967_295]);
  });

  const CASES: readonly [numerator: string, denominator: string, status: PeerStatus][] = [
    ['', '', [true, true, 0, 0]],
    ['', '100', [true, true, 0, 100]],
    ['50.5', '100', [true, true, 50.5, 100]],
    ['0.25', '1.0', [true, true, 0.25, 1]],
  ];
  for (const [numerator, denominator, expected] of CASES) {
    it(`reads the counts '${numerator}' and '${denominator}', and the connection lives`, async (t) => {
      const { client, connection } = await proven(t);
      const calls = Promise.all([
        client.jobStatus('H:proof'),
        client.jobStatusByUnique('u'),
        client.doBackground('f', 'w'),
      ]);
      await connection.received(4);
      connection.send(encode('RES', TYPE.STATUS_RES, ['H:proof', '1', '1', numerator, denominator]));
      connection.send(encode('RES', TYPE.STATUS_RES_UNIQUE, ['u', '1', '1', numerator, denominator, '']));
      connection.send(jobCreated('H:1'));
      assert.deepEqual(await calls, [expected, [...expected, 0], 'H:1']);
    });
  }

  it('is told that a job is unknown with empty counts, too', async (t) => {
    const { client, connection } = await proven(t);
    const status = client.jobStatus('H:proof');
    await connection.received(2);
    connection.send(encode('RES', TYPE.STATUS_RES, ['H:proof', '0', '0', '', '']));
    assert.deepEqual(await status, [false, false, 0, 0]);
  });

  for (const count of ['-1', '1e3', '.5', '.', ' ', '1,5', '1.5.0', '0x10', '1'.repeat(16), 'NaN']) {
    it(`takes '${count}' for no count`, async (t) => {
      const { client, connection } = await proven(t);
      const status = client.jobStatus('H:proof');
      await connection.received(2);
      connection.send(encode('RES', TYPE.STATUS_RES, ['H:proof', '1', '1', count, '1']));
      await assertDestroyed(status, 'GEARMAN_UNEXPECTED_PACKET');
    });
  }
});
