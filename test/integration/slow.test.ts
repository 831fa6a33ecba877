/** A link that is slow, but alive. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { GearmanClient } from '../../src/index.js';
import { Gearmand } from '../support/gearmand.js';

/** A proxy in front of gearmand that lets `bytesPerMs` through on the way there; returns its port. */
async function startSlowLink(t: TestContext, gearmand: Gearmand, bytesPerMs: number): Promise<number> {
  const server = net.createServer((socket) => {
    const upstream = net.connect(gearmand.port, '127.0.0.1');
    upstream.pipe(socket);
    socket.on('data', (chunk) => {
      socket.pause();
      upstream.write(chunk);
      setTimeout(() => socket.resume(), chunk.length / bytesPerMs);
    });
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
    t.after(() => socket.destroy());
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

describe('over a slow link', () => {
  it('a workload may take longer than the heartbeat to get through', async (t) => {
    const gearmand = await Gearmand.start(t);
    const port = await startSlowLink(t, gearmand, 20_000);
    const client = new GearmanClient({ servers: { host: '127.0.0.1', port }, heartbeat: 1000, timeout: 30_000 });
    t.after(() => {
      client.destroy();
    });
    await client.doBackground('f', 'small');
    // What was written before it and after it gets its answer, too.
    const calls = ['before', Buffer.alloc(64 * 1024 * 1024), 'after'].map((each) => client.doBackground('f', each));
    await Promise.all(calls);
    assert.equal(await gearmand.countJobs('f'), 4);
  });
});
