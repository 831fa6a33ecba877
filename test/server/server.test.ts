import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import * as tls from 'node:tls';
import { generate } from 'selfsigned';
import { GearmanClient } from '../../src/client/client.js';
import { JobServer, type JobServerOptions } from '../../src/server/server.js';
import { GearmanWorker } from '../../src/worker/worker.js';
import { Clock } from '../support/clock.js';
import { Speaker } from '../support/speaker.js';

async function serve(t: TestContext, options?: JobServerOptions): Promise<JobServer> {
  const server = await new JobServer(options).listen({ port: 0 });
  t.after(() => server.close());
  return server;
}

async function identity(): Promise<{ key: string; cert: string }> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { algorithm: 'sha256', keyType: 'ec' });
  return { key: made.private, cert: made.cert };
}

describe('JobServer', () => {
  it('serves a client and a worker', async (t) => {
    const server = await serve(t);
    const client = new GearmanClient(server.address);
    t.after(() => client.close());
    const handle = await client.doBackground('reverse', 'this is a test');
    assert.deepEqual(await client.jobStatus(handle), [true, false, 0, 0]);
    const worker = new GearmanWorker(server.address);
    t.after(() => worker.close());
    worker.addFunction('reverse', async (job) => {
      job.sendStatus(1, 2);
      assert.deepEqual(await client.jobStatus(handle), [true, true, 1, 2]);
      return job.workload.toReversed();
    });
    await worker.start();
    const { numerator, denominator } = await server.waitFor(handle, 'done');
    assert.deepEqual([numerator, denominator], [1, 2]);
    assert.deepEqual(await client.jobStatus(handle), [false, false, 0, 0]);
  });

  it('serves over TLS', async (t) => {
    const { key, cert } = await identity();
    const server = await serve(t, { tls: { key, cert } });
    const client = new GearmanClient({ servers: { ...server.address, host: 'localhost' }, tls: { ca: cert } });
    t.after(() => client.close());
    assert.equal(await client.doBackground('f', 'w'), 'H:server:1');
  });

  it('closes while a TLS handshake has not ended', async () => {
    const server = await new JobServer({ tls: await identity() }).listen({ port: 0 });
    const socket = net.connect(server.address);
    await once(socket, 'connect');
    // A second connection that is served has come behind the first.
    const other = tls.connect({ ...server.address, rejectUnauthorized: false });
    await once(other, 'secureConnect');
    await server.close();
    for (const each of [socket, other]) if (!each.closed) await once(each, 'close');
  });

  it('says where it listens, once it does', async () => {
    const server = new JobServer();
    assert.throws(() => server.address, { code: 'GEARMAN_SHUTDOWN', message: /Await listen\(\) first/ });
    assert.equal(await server.listen({ port: 0, host: 'localhost' }), server);
    const { host, port } = server.address;
    assert.ok(net.isIP(host) !== 0, host);
    assert.ok(port > 0, String(port));
    await assert.rejects(server.listen(), { code: 'GEARMAN_INVALID_ARGUMENT', message: /listens already/ });
    await server.close();
    assert.throws(() => server.address, { code: 'GEARMAN_SHUTDOWN' });
    await assert.rejects(server.listen(), { code: 'GEARMAN_SHUTDOWN' });
  });

  it('rejects where it cannot listen, and may be told another place', async (t) => {
    const { address } = await serve(t);
    const server = new JobServer();
    t.after(() => server.close());
    await assert.rejects(server.listen(address), (error: Error & { code: string }) => {
      assert.equal(error.code, 'GEARMAN_INVALID_ARGUMENT');
      assert.match(error.message, /^Cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
      assert.equal((error.cause as NodeJS.ErrnoException).code, 'EADDRINUSE');
      return true;
    });
    await server.listen({ port: 0 });
  });

  it('closes at any time, and any number of times', async (t) => {
    await new JobServer().close();
    const opening = new JobServer();
    const listening = opening.listen({ port: 0 });
    await Promise.all([opening.close(), assert.rejects(listening, { code: 'GEARMAN_SHUTDOWN' })]);
    const failing = new JobServer();
    const failed = failing.listen({ port: 0, host: 'no.such.host.invalid' });
    await Promise.all([failing.close(), assert.rejects(failed, { code: 'GEARMAN_INVALID_ARGUMENT' })]);
    await assert.rejects(failing.listen(), { code: 'GEARMAN_SHUTDOWN' });
    const server = await serve(t);
    const { address } = server;
    const peer = await Speaker.to(t, address);
    await peer.hearsNothing();
    await Promise.all([server.close(), server.close(), peer.closed()]);
    await server.close();
    const [error] = (await once(net.connect(address), 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
  });

  it('leaves no timer behind, whatever was due', async (t) => {
    const clock = new Clock();
    const server = await new JobServer({}, clock).listen({ port: 0 });
    const [peer, worker] = [await Speaker.to(t, server.address), await Speaker.to(t, server.address)];
    await peer.ask('SUBMIT_JOB_EPOCH', ['f', '', String(Math.floor(clock.wallClock() / 1000) + 60)]);
    await worker.say('CAN_DO_TIMEOUT', ['g', '5000']).hearsNothing();
    await peer.ask('SUBMIT_JOB_BG', ['g', '']);
    await worker.ask('GRAB_JOB');
    assert.equal(clock.alarms, 1);
    await server.close();
    assert.equal(clock.alarms, 0);
  });

  it('is closed at the end of its block', async () => {
    let address;
    {
      await using server = await new JobServer().listen({ port: 0 });
      ({ address } = server);
    }
    await once(net.connect(address), 'error');
  });

  it('restarts: on its port, without connections, jobs and numbers', async (t) => {
    const server = await serve(t);
    const { address } = server;
    const [peer, worker] = [await Speaker.to(t, address), await Speaker.to(t, address)];
    await peer.ask('SUBMIT_JOB_BG', ['f', '']);
    await worker.say('CAN_DO_TIMEOUT', ['f', '5000']).ask('GRAB_JOB');
    const wait = server.waitFor({ function: 'g' }, 'queued');
    // The old server does not live to see that the worker leaves.
    const again = server.waitFor({ function: 'f' }, 'queued', { timeout: 50 });
    const notAgain = assert.rejects(again, { code: 'GEARMAN_TIMEOUT', message: /no such job was seen/ });
    await Promise.all([server.restart(), peer.closed(), worker.closed()]);
    assert.deepEqual(server.jobs, []);
    assert.deepEqual(server.address, address);
    const next = await Speaker.to(t, address);
    assert.equal(await next.read('status\n', '.\n'), '.\n');
    assert.equal(await next.ask('SUBMIT_JOB_BG', ['g', '']), 'JOB_CREATED|H:server:1');
    assert.equal((await wait).handle, 'H:server:1');
    await notAgain;
    await server.close();
    await assert.rejects(server.restart(), { code: 'GEARMAN_SHUTDOWN' });
    await assert.rejects(new JobServer().restart(), { code: 'GEARMAN_SHUTDOWN', message: /Await listen\(\) first/ });
  });

  it('refuses options that cannot be meant', async () => {
    for (const options of [
      null,
      [],
      { nam: 'x' },
      { name: '' },
      { name: 'x'.repeat(41) },
      { name: 'ü' },
      { name: 1 },
      { tls: true },
      { roundRobin: 1 },
      { jobRetries: 0 },
      { maxPacketSize: 0 },
      { maxPacketSize: 2 ** 32 },
    ]) {
      const make = (): unknown => new JobServer(options as JobServerOptions);
      assert.throws(make, { code: 'GEARMAN_INVALID_ARGUMENT' }, JSON.stringify(options));
    }
    for (const place of [null, { port: -1 }, { port: '1' }, { host: '' }, { path: 'x' }]) {
      const listening = new JobServer().listen(place as { port: number });
      await assert.rejects(listening, { code: 'GEARMAN_INVALID_ARGUMENT' }, JSON.stringify(place));
    }
  });
});
