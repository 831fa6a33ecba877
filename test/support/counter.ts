/** A proxy in front of a job server that counts the requests. */
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { Decoder } from '../../src/protocol/decode.js';
import { nameOfType } from '../../src/protocol/packet.js';

/** What {@link countRequests} starts. */
export interface Counter {
  /** The proxy's `host:port`. */
  readonly name: string;
  /** How many requests with that name of a packet type have come. */
  count(type: string): number;
}

/** Starts the proxy, which lives as long as the test. */
export async function countRequests(t: TestContext, port: number): Promise<Counter> {
  const counts = new Map<string, number>();
  const server = net.createServer((socket) => {
    const upstream = net.connect(port, '127.0.0.1').setNoDelay();
    const decoder = new Decoder('REQ', 128 * 1024 * 1024);
    socket.setNoDelay().on('data', (chunk: Buffer) => {
      decoder.push(chunk, ({ type }) => counts.set(nameOfType(type), (counts.get(nameOfType(type)) ?? 0) + 1));
    });
    for (const each of [socket, upstream]) {
      each.on('error', () => undefined);
      t.after(() => each.destroy());
    }
    socket.pipe(upstream).pipe(socket);
  });
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const name = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { name, count: (type) => counts.get(type) ?? 0 };
}
