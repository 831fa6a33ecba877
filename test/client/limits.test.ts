/** What is as long as it may be, and what is longer, whoever made it so. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GearmanArgumentError } from '../../src/errors.js';
import { clientOf, proven, rejection, settleDown, stateOf } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { limitMemory } from '../support/memory.js';
import { Peer, jobCreated, serve, statusRes } from '../support/peer.js';

describe('a name with the prefix of the client', () => {
  for (const what of ['function', 'reducer'] as const) {
    const names = (name: string): [string, { reducer?: string }] =>
      what === 'function' ? [name, {}] : ['f', { reducer: name }];

    it(`has 511 bytes when it is that of a ${what}, both together`, async (t) => {
      const peer = await Peer.start(t, serve);
      const client = clientOf(t, [peer], { prefix: 'p'.repeat(300) });
      const [longest, options] = names('n'.repeat(211));
      await client.doBackground(longest, 'w', options);
      assert.equal(peer.requests[0]?.args[what === 'function' ? 0 : 2], 'p'.repeat(300) + 'n'.repeat(211));

      for (const name of ['n'.repeat(212), 'ä'.repeat(106)]) {
        const [tooLong, withOptions] = names(name);
        const error = await rejection(client.doBackground(tooLong, 'w', withOptions), 'GEARMAN_ARGUMENT_TOO_LARGE');
        assert.equal(error instanceof GearmanArgumentError, true);
        assert.match(error.message, /with its prefix has 512 bytes; the limit is 511/);
        if (what === 'reducer') assert.match(error.message, /option reducer/);
      }
      assert.equal(peer.requests.length, 1);
    });
  }
});

describe('a handle of more than 63 bytes', () => {
  const handle = `H:${'long.'.repeat(40)}example:1`;

  it('is returned as it came, although it cannot be asked for', async (t) => {
    const { client, connection, peer } = await proven(t);
    const [call, job] = [client.doBackground('f', 'w'), client.submitBackground('f', 'w', { unique: 'u' })];
    await connection.received(3);
    connection.send(jobCreated(handle), jobCreated(handle));
    assert.equal(await call, handle);
    assert.deepEqual([(await job).handle, (await job).id], [handle, `${peer.name}//${handle}`]);
    for (const status of [client.jobStatus(handle), (await job).status()]) {
      const error = await rejection(status, 'GEARMAN_ARGUMENT_TOO_LARGE');
      assert.match(error.message, /The job handle has \d+ bytes; the limit is 63/);
    }
    assert.equal(connection.requests.length, 3);
  });

  it('of 63 bytes can be asked for', async (t) => {
    const { client, connection } = await proven(t);
    const call = client.doBackground('f', 'w');
    await connection.received(2);
    connection.send(jobCreated('H'.repeat(63)));
    const status = client.jobStatus(await call);
    await connection.received(3);
    connection.send(statusRes('H'.repeat(63), [true, false, 0, 0]));
    assert.deepEqual(await status, [true, false, 0, 0]);
  });
});

describe('a job behind one that is larger than the server takes now', () => {
  it('was not submitted when it times out, and the large one may have been', async (t) => {
    const { client, clock, connection, peer } = await proven(t, { heartbeat: Infinity });
    connection.freeze();
    const large = rejection(
      client.doBackground('f', Buffer.alloc(64 * 1024 * 1024), { unique: 'large', timeout: 500 }),
      'GEARMAN_TIMEOUT',
    );
    const behind = rejection(client.doBackground('f', 'w', { unique: 'behind', timeout: 400 }), 'GEARMAN_TIMEOUT');
    await settleDown();
    const { inFlight, waiting } = stateOf(client, peer);
    assert.deepEqual([inFlight, waiting], [1, 1]);
    clock.advance(400);
    const { maybeSubmitted, message } = await behind;
    assert.equal(maybeSubmitted, false);
    assert.match(message, /no job server had room within 400 ms/);
    clock.advance(100);
    assert.equal((await large).maybeSubmitted, true);
  });
});

describe('a job that there is no memory to write', () => {
  const huge = 'x'.repeat(20_000);

  it('is refused, and the others get their own answers', async (t) => {
    limitMemory(t, huge);
    const { client, connection } = await proven(t);
    const refused = rejection(client.doBackground('f', huge, 'u'), 'GEARMAN_ARGUMENT_TOO_LARGE');
    const calls = ['a', 'b'].map((unique) => client.doBackground('f', 'w', unique));
    const { message, server, maybeSubmitted } = await refused;
    assert.equal(message, 'Submitting f (unique ID u): it could not be written: Array buffer allocation failed.');
    assert.deepEqual([server, maybeSubmitted], [undefined, false]);
    await connection.received(3);
    connection.send(jobCreated('H:a'), jobCreated('H:b'));
    assert.deepEqual(await Promise.all(calls), ['H:a', 'H:b']);
  });

  it('says nothing of a server that was to be proven by it', async (t) => {
    limitMemory(t, huge);
    const peer = await Peer.start(t, serve);
    const clock = new Clock();
    const client = clientOf(t, [peer], { connectTimeout: 100 }, clock);
    await rejection(client.doBackground('f', huge), 'GEARMAN_ARGUMENT_TOO_LARGE');
    clock.advance(1000);
    await settleDown();
    assert.equal(stateOf(client, peer).state, 'proving');
    assert.equal(await client.doBackground('f', 'w'), 'H:peer:1');
  });
});
