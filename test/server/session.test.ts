/** Peers that would hurt the job server or others if they could. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { JobServer, type JobServerOptions } from '../../src/server/server.js';
import { Speaker, request } from '../support/speaker.js';

const MIB = 1024 * 1024;

async function serve(t: TestContext, options?: JobServerOptions): Promise<JobServer> {
  const server = await new JobServer(options).listen({ port: 0 });
  t.after(() => server.close());
  return server;
}

describe('a peer that does not read', () => {
  it('is not listened to while its own answers wait, and loses none of them', async (t) => {
    const server = await serve(t);
    const peer = net.connect(server.address);
    t.after(() => peer.destroy());
    peer.pause();
    const echo = request('ECHO_REQ', [], Buffer.alloc(64 * 1024));
    let sent = 0;
    // It takes what the kernels and its own buffers hold, and then no more.
    while (!peer.writableNeedDrain || sent < 8 * MIB) {
      peer.write(echo);
      sent += echo.length;
      await setImmediate();
    }
    for (let i = 0; i < 200; i++) await setImmediate();
    assert.ok(peer.writableLength > 0, 'all was taken from a peer that reads nothing');
    let received = 0;
    peer.on('data', (chunk: Buffer) => (received += chunk.length));
    peer.resume();
    while (received < sent) await once(peer, 'data');
    assert.equal(received, sent);
  });

  it('gets no list after another into memory', async (t) => {
    const server = await serve(t, { maxPacketSize: MIB });
    const peer = await Speaker.to(t, server.address);
    for (let i = 0; i < 2000; i++) peer.say('CAN_DO', [`${i} ${'f'.repeat(500)}`]);
    await peer.hearsNothing();
    const greedy = net.connect(server.address);
    t.after(() => greedy.destroy());
    greedy.pause();
    // A megabyte for each of these lines, in one chunk.
    greedy.write('status\n'.repeat(1000));
    await once(greedy, 'readable');
    await peer.hearsNothing();
    const bytes = { rss: process.memoryUsage().rss };
    assert.ok(bytes.rss < 600 * MIB, `${bytes.rss} bytes`);
    let received = 0;
    greedy.on('data', (chunk: Buffer) => (received += chunk.length));
    greedy.resume();
    while (received < 100 * MIB) await once(greedy, 'data');
  });

  it('is cut when what others send it does not end', async (t) => {
    const server = await serve(t, { maxPacketSize: MIB });
    const [client, worker] = [net.connect(server.address), await Speaker.to(t, server.address)];
    t.after(() => client.destroy());
    client.write(request('SUBMIT_JOB', ['f', '']));
    client.pause();
    await server.waitFor('H:server:1', 'queued');
    await worker.say('CAN_DO', ['f']).ask('GRAB_JOB');
    const data = Buffer.alloc(MIB / 2);
    while ((await server.waitFor('H:server:1', 'running')).waitingClients > 0) {
      await worker.say('WORK_DATA', ['H:server:1'], data).hearsNothing();
    }
    worker.say('WORK_COMPLETE', ['H:server:1']);
    await server.waitFor('H:server:1', 'done');
  });
});

describe('a peer that is cut while it hears of the end of a job that it runs itself', () => {
  it('ends the job all the same, for everybody', async (t) => {
    const server = await new JobServer({ maxPacketSize: 1024 }).listen({ port: 0 });
    t.after(() => server.close());
    const [peer, other, next] = [
      await Speaker.to(t, server.address),
      await Speaker.to(t, server.address),
      await Speaker.to(t, server.address),
    ];
    await peer.say('CAN_DO', ['f']).hearsNothing();
    for (let count = 0; count < 2000; count++) peer.say('SUBMIT_JOB', ['f', 'u']);
    for (let count = 0; count < 2000; count++) await peer.hear();
    await other.ask('SUBMIT_JOB_BG', ['f', 'u']);
    await peer.ask('GRAB_JOB');
    peer.socket.pause();
    peer.say('WORK_COMPLETE', ['H:server:1'], Buffer.alloc(1000));
    await peer.closed();
    assert.deepEqual(server.jobs, []);
    assert.equal(await next.say('CAN_DO', ['f']).ask('GRAB_JOB'), 'NO_JOB');
    assert.equal(await other.read('prioritystatus\n', '.\n'), 'f\t0\t0\t0\t1\n.\n');
  });
});

describe('a peer that sends anything', () => {
  it('never brings the server down', async (t) => {
    const server = await serve(t, { maxPacketSize: 1000 });
    const witness = await Speaker.to(t, server.address);
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.string({ maxLength: 40 }).map((line) => Buffer.from(`${line}\n`)),
      fc
        .record({ type: fc.nat(45), body: fc.uint8Array({ maxLength: 30 }), cut: fc.nat(3) })
        .map(({ type, body, cut }) => {
          const head = Buffer.from('\0REQ\0\0\0\0\0\0\0\0', 'latin1');
          head.writeUInt32BE(type, 4);
          head.writeUInt32BE(body.length + (cut === 3 ? 1 : 0), 8);
          return Buffer.concat([head, body]);
        }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const peer = net.connect(server.address);
        peer.on('error', () => undefined);
        peer.resume();
        await once(peer, 'connect');
        peer.write(Buffer.concat(pieces));
        peer.end();
        if (!peer.closed) await once(peer, 'close');
        await witness.hearsNothing();
      }),
      { numRuns: 200 },
    );
  });

  it('may send a packet byte by byte', async (t) => {
    const server = await serve(t);
    const peer = await Speaker.to(t, server.address);
    for (const byte of request('SUBMIT_JOB_BG', ['f', 'u'], 'workload')) peer.socket.write(Buffer.of(byte));
    assert.equal(await peer.hear(), 'JOB_CREATED|H:server:1');
    assert.equal(server.jobs[0]?.workload.toString(), 'workload');
  });

  it('may leave within a packet, with a job of its own', async (t) => {
    const server = await serve(t);
    const [peer, worker] = [await Speaker.to(t, server.address), await Speaker.to(t, server.address)];
    await peer.ask('SUBMIT_JOB_BG', ['f', '']);
    await worker.say('CAN_DO', ['f']).ask('GRAB_JOB');
    worker.socket.end(request('WORK_COMPLETE', ['H:server:1'], 'result').subarray(0, -1));
    await server.waitFor('H:server:1', 'queued');
    await peer.hearsNothing();
  });
});

describe('many peers', () => {
  it('may be connected and idle', async (t) => {
    const server = await serve(t);
    const peers: net.Socket[] = [];
    t.after(() => peers.forEach((peer) => peer.destroy()));
    for (let i = 0; i < 20; i++) {
      const batch = Array.from({ length: 50 }, () => net.connect(server.address));
      peers.push(...batch);
      await Promise.all(batch.map((peer) => once(peer, 'connect')));
    }
    const peer = await Speaker.to(t, server.address);
    assert.equal((await peer.read('workers\n', '.\n')).split('\n').length, 1003);
  });
});
