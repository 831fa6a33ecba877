/** TLS through a proxy in front of gearmand, which Debian builds without. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import * as tls from 'node:tls';
import { generate } from 'selfsigned';
import { GearmanClient, GearmanError, type GearmanClientOptions } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';

const DAY = 86_400_000;

/** A certificate for `localhost`, its own authority. */
async function certify({ name = 'localhost', from = -DAY, to = DAY } = {}): Promise<{ key: string; cert: string }> {
  const options = {
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() + from),
    notAfterDate: new Date(Date.now() + to),
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
    ],
  } as const;
  const { private: key, cert } = await generate([{ name: 'commonName', value: name }], options as never);
  return { key, cert };
}

/** A proxy that speaks TLS with the certificate and hands everything to gearmand; returns its port. */
async function startProxy(t: TestContext, gearmand: Gearmand, certificate: tls.TlsOptions): Promise<number> {
  const server = tls.createServer(certificate, (socket) => {
    const upstream = net.connect(gearmand.port, '127.0.0.1');
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
    t.after(() => {
      socket.destroy();
      upstream.destroy();
    });
  });
  server.on('tlsClientError', () => undefined);
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** The error of a call that can reach no server, as one line with all its causes. */
async function failure(options: GearmanClientOptions): Promise<string> {
  const client = new GearmanClient({ timeout: 300, ...options });
  try {
    await client.doBackground('f', 'w');
    return 'submitted';
  } catch (error) {
    assert.ok(error instanceof GearmanError);
    assert.equal(error.code, 'GEARMAN_COULD_NOT_CONNECT');
    assert.equal(error.maybeSubmitted, false);
    return error.message;
  } finally {
    client.destroy();
  }
}

describe('over TLS', () => {
  it('jobs are submitted when the certificate is right', async (t) => {
    const gearmand = await Gearmand.start(t);
    const certificate = await certify();
    const port = await startProxy(t, gearmand, certificate);
    const client = new GearmanClient({ servers: { host: 'localhost', port }, tls: { ca: certificate.cert } });
    const handle = await client.doBackground('f', Buffer.alloc(1_000_000, 'x'));
    assert.deepEqual(await client.jobStatus(handle), [true, false, 0, 0]);
    assert.equal(await gearmand.countJobs('f'), 1);
    await client.close();
  });

  it('a certificate is refused that is for another name, has expired or has an unknown issuer', async (t) => {
    const gearmand = await Gearmand.start(t);
    const [right, otherName, expired] = await Promise.all([
      certify(),
      certify({ name: 'elsewhere' }),
      certify({ from: -2 * DAY, to: -DAY }),
    ]);
    const cases = [
      { certificate: otherName, tls: { ca: otherName.cert }, says: /altnames|does not match/i },
      { certificate: expired, tls: { ca: expired.cert }, says: /expired/ },
      { certificate: right, tls: true, says: /self-signed|unable to verify/ },
    ];
    const trials = cases.map(async ({ certificate, tls: options, says }) => {
      const port = await startProxy(t, gearmand, certificate);
      assert.match(await failure({ servers: { host: 'localhost', port, tls: options } }), says);
    });
    await Promise.all(trials);
    assert.equal(await gearmand.countJobs('f'), 0);
  });

  it('a server that speaks none is asked whether it does', async (t) => {
    const gearmand = await Gearmand.start(t);
    const says = await failure({ servers: gearmand.name, tls: true, connectTimeout: 100 });
    assert.match(says, /does this port speak TLS\?/);
  });

  it('a handshake that stalls is given up after connectTimeout', async (t) => {
    const server = net.createServer((socket) => t.after(() => socket.destroy())).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const says = await failure({ servers: `127.0.0.1:${port}`, tls: true, connectTimeout: 100 });
    assert.match(says, /did not complete a TLS handshake within 100 ms \(does this port speak TLS\?\)/);
  });
});
