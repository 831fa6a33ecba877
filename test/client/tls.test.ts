/** TLS: who is trusted, and what is said about those who are not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { before, describe, it, type TestContext } from 'node:test';
import * as tls from 'node:tls';
import { generate } from 'selfsigned';
import { GearmanConnectionError, type GearmanError } from '../../src/errors.js';
import type { ServerAddress } from '../../src/transport/address.js';
import { clientOf, rejection, settleDown, stateOf, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, freeze, serve, type Script } from '../support/peer.js';

const DAY_MS = 86_400_000;

interface Identity {
  readonly key: string;
  readonly cert: string;
}

/** A certificate of its own, for 127.0.0.1 unless told otherwise. */
async function certify(names: { ip?: string; host?: string }, notAfterDate?: Date): Promise<Identity> {
  const { ip, host } = names;
  const altNames = [
    ...(ip === undefined ? [] : [{ type: 7 as const, ip }]),
    ...(host === undefined ? [] : [{ type: 2 as const, value: host }]),
  ];
  const made = await generate([{ name: 'commonName', value: host ?? 'job server' }], {
    algorithm: 'sha256',
    keyType: 'ec',
    notBeforeDate: new Date(Date.now() - 10 * DAY_MS),
    notAfterDate: notAfterDate ?? new Date(Date.now() + 10 * DAY_MS),
    extensions: [{ name: 'subjectAltName', altNames }],
  });
  return { key: made.private, cert: made.cert };
}

/** Puts TLS in front of a peer; returns where to connect to. */
async function secure(
  t: TestContext,
  peer: Peer,
  identity: Identity,
): Promise<{ host: string; port: number; name: string }> {
  const server = tls.createServer(identity, (socket) => {
    const behind = net.connect(peer.port, '127.0.0.1');
    for (const end of [socket, behind]) end.on('error', () => undefined);
    socket.pipe(behind).pipe(socket);
    socket.on('close', () => behind.destroy());
    behind.on('close', () => socket.destroy());
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { host: '127.0.0.1', port, name: `127.0.0.1:${port}` };
}

/** The reason why a server that is asked for a job cannot be reached. */
async function reasonAgainst(
  t: TestContext,
  server: { name: string } & ServerAddress,
  options: tls.ConnectionOptions | true,
): Promise<GearmanError> {
  const clock = new Clock();
  const client = clientOf(t, [], { servers: [server], tls: options, timeout: 150 }, clock);
  const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_COULD_NOT_CONNECT');
  await untilState(client, server, 'paused');
  const { lastError } = stateOf(client, server);
  await clock.advanceUntil(call);
  assert.equal((await call).maybeSubmitted, false);
  return lastError as GearmanError;
}

describe('over TLS', () => {
  const made: { good?: Identity; elsewhere?: Identity; expired?: Identity } = {};
  before(async () => {
    made.good = await certify({ ip: '127.0.0.1', host: 'localhost' });
    made.elsewhere = await certify({ host: 'elsewhere.example' });
    made.expired = await certify({ ip: '127.0.0.1' }, new Date(Date.now() - DAY_MS));
  });
  const identity = (name: keyof typeof made): Identity => {
    const found = made[name];
    assert.ok(found !== undefined);
    return found;
  };

  it('jobs are submitted to a server whose certificate is right', async (t) => {
    const peer = await Peer.start(t, serve);
    const server = await secure(t, peer, identity('good'));
    const client = clientOf(t, [], { servers: [server], tls: { ca: identity('good').cert } });
    const workload = Buffer.alloc(1024 * 1024, 'payload\0');
    await client.doBackground('f', 'w');
    await Promise.all([client.doBackground('f', workload), client.doBackground('f', 'behind')]);
    assert.ok(peer.requests[1]?.data.equals(workload));
    assert.equal((await client.ping())[0]?.error, undefined);
    await client.close();
  });

  it('a server is found by its name, too', async (t) => {
    const peer = await Peer.start(t, serve);
    const { port } = await secure(t, peer, identity('good'));
    const client = clientOf(t, [], { servers: [{ host: 'localhost', port }], tls: { ca: identity('good').cert } });
    assert.equal(await client.doBackground('f', 'w'), 'H:peer:1');
  });

  it('a certificate for another name is refused', async (t) => {
    const peer = await Peer.start(t, serve);
    const server = await secure(t, peer, identity('elsewhere'));
    const error = await reasonAgainst(t, server, { ca: identity('elsewhere').cert });
    assert.match(error.message, /does not match certificate's altnames/);
    assert.equal(error.server, server.name);
    assert.equal(peer.requests.length, 0);
  });

  it('a certificate that has expired is refused', async (t) => {
    const peer = await Peer.start(t, serve);
    const error = await reasonAgainst(t, await secure(t, peer, identity('expired')), { ca: identity('expired').cert });
    assert.match(error.message, /certificate has expired/);
    assert.equal(peer.requests.length, 0);
  });

  it('an authority that is not known is refused by default', async (t) => {
    const peer = await Peer.start(t, serve);
    const error = await reasonAgainst(t, await secure(t, peer, identity('good')), true);
    assert.match(error.message, /self-signed certificate/);
    assert.match(String((error.cause as NodeJS.ErrnoException).code), /SELF_SIGNED/);
    assert.doesNotMatch(error.message, /speak TLS/);
    assert.equal(peer.requests.length, 0);
  });

  for (const [what, script] of [
    [
      'answers with text',
      (connection) => {
        connection.socket.removeAllListeners('data');
        connection.socket.on('data', () => connection.send(Buffer.from('ERR unknown_command\r\n')));
      },
    ],
    ['closes', (connection) => connection.end()],
    ['resets', serve],
  ] as const satisfies [string, Script][]) {
    it(`a server that speaks none and ${what} brings up the question whether it does`, async (t) => {
      const peer = await Peer.start(t, script);
      const error = await reasonAgainst(t, { host: '127.0.0.1', port: peer.port, name: peer.name }, true);
      assert.match(error.message, /\(does this port speak TLS\?\)/);
    });
  }

  it('a handshake that stalls is given up after connectTimeout', async (t) => {
    const peer = await Peer.start(t, freeze);
    const clock = new Clock();
    const client = clientOf(t, [peer], { tls: true, connectTimeout: 700, timeout: 800 }, clock);
    const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_COULD_NOT_CONNECT');
    await peer.connection(0);
    await settleDown();
    clock.advance(700);
    assert.match(
      stateOf(client, peer).lastError?.message ?? '',
      /did not complete a TLS handshake within 700 ms \(does this port speak TLS\?\)/,
    );
    clock.advance(100);
    await call;
  });

  it('a pool serves with the others when one server stalls in its handshake', async (t) => {
    const [stalled, peer] = [await Peer.start(t, freeze), await Peer.start(t, serve)];
    const good = await secure(t, peer, identity('good'));
    const clock = new Clock();
    const client = clientOf(t, [], { servers: [stalled.name, good], tls: { ca: identity('good').cert } }, clock);
    const call = client.doBackground('f', 'w');
    await stalled.connection(0);
    clock.advance(3000);
    assert.equal(await call, 'H:peer:1');
  });

  it('each server may have options of its own', async (t) => {
    const [plain, peer] = [await Peer.start(t, serve), await Peer.start(t, serve)];
    const secured = await secure(t, peer, identity('good'));
    const client = clientOf(t, [], {
      servers: [
        { host: '127.0.0.1', port: plain.port, tls: false },
        { ...secured, tls: { ca: identity('good').cert } },
      ],
      tls: true,
    });
    assert.deepEqual(
      (await client.ping()).map(({ error }) => error),
      [undefined, undefined],
    );
    const added = clientOf(t, [], { servers: plain.name });
    added.addServers({ ...secured, tls: { ca: identity('good').cert } });
    assert.equal((await added.ping({ server: secured.name }))[0]?.error, undefined);
  });

  describe('options that Node refuses', () => {
    const tlsOptions = { minVersion: 'nonsense' as tls.SecureVersion };

    it('are the failure of the server that has them, and jobs go to the others', async (t) => {
      const [bad, good] = [await Peer.start(t, serve), await Peer.start(t, serve)];
      const servers = [{ host: '127.0.0.1', port: bad.port, tls: tlsOptions }, good.name];
      const client = clientOf(t, [], { servers }, new Clock());
      const calls = ['a', 'b', 'c'].map((unique) => client.doBackground('f', 'w', unique));
      assert.deepEqual(await Promise.all(calls), ['H:peer:1', 'H:peer:2', 'H:peer:3']);
      assert.equal(bad.connections.length, 0);
      const { state, lastError } = stateOf(client, bad);
      assert.equal(state, 'paused');
      assert.ok(lastError instanceof GearmanConnectionError, String(lastError));
      assert.equal(lastError.code, 'GEARMAN_COULD_NOT_CONNECT');
      assert.equal((lastError.cause as NodeJS.ErrnoException).code, 'ERR_TLS_INVALID_PROTOCOL_VERSION');
      assert.match(lastError.message, /nonsense/);
      assert.equal(stateOf(client, good).state, 'up');
    });

    it('of the only server are what its calls learn at their deadline', async (t) => {
      const peer = await Peer.start(t, serve);
      const clock = new Clock();
      const client = clientOf(t, [peer], { tls: tlsOptions, timeout: 700 }, clock);
      const call = rejection(client.doBackground('f', 'w'), 'GEARMAN_COULD_NOT_CONNECT');
      await clock.advanceUntil(call);
      assert.equal(clock.now(), 700);
      const error = await call;
      assert.equal(error.maybeSubmitted, false);
      assert.match(error.message, /nonsense/);
      assert.equal((await client.ping())[0]?.error?.code, 'GEARMAN_COULD_NOT_CONNECT');
      await client.close();
    });
  });

  it('a connection that is lost is replaced', async (t) => {
    const peer = await Peer.start(t, serve);
    const server = await secure(t, peer, identity('good'));
    const client = clientOf(t, [], { servers: [server], tls: { ca: identity('good').cert } });
    await client.doBackground('f', 'w');
    peer.connections[0]?.reset();
    await untilState(client, server, 'idle');
    assert.equal(await client.doBackground('f', 'w'), 'H:peer:2');
  });

  it('options of the caller are not changed', async (t) => {
    const peer = await Peer.start(t, serve);
    const server = await secure(t, peer, identity('good'));
    const options = Object.freeze({ ca: identity('good').cert });
    await clientOf(t, [], { servers: [server], tls: options }).doBackground('f', 'w');
    assert.deepEqual(Object.keys(options), ['ca']);
  });
});
