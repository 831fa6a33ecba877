/** Misbehaviour on request: each kind, as the peer sees it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as net from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { GearmanClient } from '../../src/client/client.js';
import { JobServer, type Fault } from '../../src/server/server.js';
import { Clock } from '../support/clock.js';
import { Speaker, request } from '../support/speaker.js';

async function serve(t: TestContext, clock?: Clock) {
  const server = clock === undefined ? new JobServer() : new JobServer({}, clock);
  await server.listen({ port: 0 });
  t.after(() => server.close());
  return { server, connect: () => Speaker.to(t, server.address) };
}

describe('misbehave', () => {
  it('ignores a request, so many times', async (t) => {
    const { server, connect } = await serve(t);
    const peer = await connect();
    server.misbehave({ kind: 'ignore', packet: 'SUBMIT_JOB_BG', times: 2 });
    for (let i = 0; i < 2; i++) await peer.say('SUBMIT_JOB_BG', ['f', '']).hearsNothing();
    assert.deepEqual(server.jobs, []);
    assert.equal(await peer.ask('SUBMIT_JOB_BG', ['f', '']), 'JOB_CREATED|H:server:1');
  });

  it('drops an answer, until that is undone', async (t) => {
    const { server, connect } = await serve(t);
    const peer = await connect();
    const undo = server.misbehave({ kind: 'drop', packet: 'JOB_CREATED' });
    await peer.say('SUBMIT_JOB_BG', ['f', '']).hearsNothing();
    assert.equal(server.jobs.length, 1);
    undo();
    undo();
    assert.equal(await peer.ask('SUBMIT_JOB_BG', ['f', '']), 'JOB_CREATED|H:server:2');
  });

  it('answers any request with an ERROR', async (t) => {
    const { server, connect } = await serve(t);
    const peer = await connect();
    server.misbehave({ kind: 'error', code: 'QUEUE_ERROR', text: 'no disk' });
    assert.equal(await peer.ask('ECHO_REQ', [], 'x'), 'ERROR|QUEUE_ERROR|no disk');
    assert.equal(await peer.ask('GRAB_JOB'), 'ERROR|QUEUE_ERROR|no disk');
  });

  it('delays a request and what follows it, and nobody else', async (t) => {
    const clock = new Clock();
    const { server, connect } = await serve(t, clock);
    const [peer, other] = [await connect(), await connect()];
    server.misbehave({ kind: 'delay', ms: 500, packet: 'SUBMIT_JOB_BG', times: 1 });
    peer.socket.write(Buffer.concat([request('SUBMIT_JOB_BG', ['f', ''], '1'), request('ECHO_REQ', [], 'after')]));
    await other.hearsNothing();
    while (clock.alarms === 0) await other.hearsNothing();
    clock.advance(499);
    await other.hearsNothing();
    assert.deepEqual(server.jobs, []);
    clock.advance(1);
    assert.equal(await peer.hear(), 'JOB_CREATED|H:server:1');
    assert.equal(await peer.hear(), 'ECHO_RES|after');
    await peer.hearsNothing();
  });

  it('cuts the connection of a delayed request that is none, and no other', async (t) => {
    const clock = new Clock();
    const { server, connect } = await serve(t, clock);
    const [peer, other] = [await connect(), await connect()];
    server.misbehave({ kind: 'delay', ms: 500, packet: 'SUBMIT_JOB_BG' });
    const half = request('SUBMIT_JOB_BG', ['f', 'u']).map((byte, index) => (index < 12 ? byte : byte || 1));
    peer.socket.write(half);
    while (clock.alarms === 0) await other.hearsNothing();
    clock.advance(500);
    await peer.closed();
    await other.hearsNothing();
  });

  it('leaves no timer when a delayed connection goes', async (t) => {
    const clock = new Clock();
    const { server, connect } = await serve(t, clock);
    const [peer, other] = [await connect(), await connect()];
    server.misbehave({ kind: 'delay', ms: 500, packet: 'SUBMIT_JOB_BG' });
    peer.say('SUBMIT_JOB_BG', ['f', '']);
    while (clock.alarms === 0) await other.hearsNothing();
    await server.close();
    assert.equal(clock.alarms, 0);
  });

  it('garbles an answer', async (t) => {
    const { server } = await serve(t);
    server.misbehave({ kind: 'garble', packet: 'STATUS_RES', times: 1 });
    const client = new GearmanClient(server.address);
    t.after(() => client.close());
    await assert.rejects(client.jobStatus('H:server:1'), { message: /broke the protocol/ });
    assert.equal(await client.doBackground('f', ''), 'H:server:1');
  });

  it('cuts the connection within an answer', async (t) => {
    const { server } = await serve(t);
    for (const after of [undefined, 0, 5, 1000]) {
      const undo = server.misbehave({ kind: 'cut', packet: 'ECHO_RES', after });
      const socket = net.connect(server.address);
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.write(Buffer.concat([request('GRAB_JOB'), request('ECHO_REQ', [], 'x'), request('GRAB_JOB')]));
      await once(socket, 'close');
      assert.equal(Buffer.concat(chunks).length, 12 + Math.min(13, after ?? 0));
      undo();
    }
  });

  it('refuses connections', async (t) => {
    const { server, connect } = await serve(t);
    const before = await connect();
    server.misbehave({ kind: 'refuse', times: 1 });
    const refused = await connect();
    await refused.closed();
    await before.hearsNothing();
    await (await connect()).hearsNothing();
  });

  it('freezes: accepts and reads nothing', async (t) => {
    const { server, connect } = await serve(t);
    const before = await connect();
    const undo = server.misbehave({ kind: 'freeze' });
    const peers = [before, await connect()] as const;
    for (const peer of peers) peer.say('SUBMIT_JOB_BG', ['f', '']).say('SUBMIT_JOB_BG', ['f', '']);
    // It accepts one after the other, and would have read the first by then.
    await connect();
    await connect();
    assert.deepEqual(server.jobs, []);
    undo();
    const answers = [];
    for (const peer of peers) answers.push(await peer.hear(), await peer.hear());
    assert.deepEqual(
      answers.sort(),
      [1, 2, 3, 4].map((number) => `JOB_CREATED|H:server:${number}`),
    );
  });

  it('thaws what the fault froze that is undone, and nothing else', async (t) => {
    const { server, connect } = await serve(t);
    const [first, second, other] = [await connect(), await connect(), await connect()];
    const undoFirst = server.misbehave({ kind: 'freeze', packet: 'GRAB_JOB' });
    const undoSecond = server.misbehave({ kind: 'freeze', packet: 'GET_STATUS' });
    first.say('GRAB_JOB');
    second.say('GET_STATUS', ['H:server:1']).say('SUBMIT_JOB_BG', ['f', '']);
    for (let count = 0; count < 3; count++) await other.hearsNothing();
    undoFirst();
    assert.equal(await first.hear(), 'NO_JOB');
    for (let count = 0; count < 3; count++) await other.hearsNothing();
    assert.deepEqual(server.jobs, []);
    undoSecond();
    assert.equal(await second.hear(), 'STATUS_RES|H:server:1|0|0|0|0');
    assert.equal(await second.hear(), 'JOB_CREATED|H:server:1');
  });

  it('freezes at one request', async (t) => {
    const { server, connect } = await serve(t);
    const [peer, other] = [await connect(), await connect()];
    server.misbehave({ kind: 'freeze', packet: 'GRAB_JOB' });
    await peer.hearsNothing();
    peer.say('GRAB_JOB').say('SUBMIT_JOB_BG', ['f', '']);
    await other.hearsNothing();
    await other.hearsNothing();
    assert.deepEqual(server.jobs, []);
    await server.close();
    await peer.closed();
  });

  it('lets the oldest of several faults happen', async (t) => {
    const { server, connect } = await serve(t);
    const peer = await connect();
    server.misbehave({ kind: 'error', code: 'A', text: 'first', packet: 'ECHO_REQ', times: 1 });
    server.misbehave({ kind: 'error', code: 'B', text: 'second', times: 1 });
    assert.equal(await peer.ask('ECHO_REQ', [], 'x'), 'ERROR|A|first');
    assert.equal(await peer.ask('ECHO_REQ', [], 'x'), 'ERROR|B|second');
    assert.equal(await peer.ask('ECHO_REQ', [], 'x'), 'ECHO_RES|x');
  });

  it('takes no fault that cannot happen', () => {
    const server = new JobServer();
    const bad: unknown[] = [
      undefined,
      null,
      {},
      { kind: 'explode' },
      { kind: 'toString' },
      { kind: 'ignore', packet: 'JOB_CREATED' },
      { kind: 'drop', packet: 'SUBMIT_JOB' },
      { kind: 'drop', packet: 'NONSENSE' },
      { kind: 'refuse', packet: 'SUBMIT_JOB' },
      { kind: 'drop', times: 0 },
      { kind: 'drop', time: 1 },
      { kind: 'delay' },
      { kind: 'delay', ms: -1 },
      { kind: 'cut', after: 1.5 },
      { kind: 'error', code: 'A' },
      { kind: 'error', code: 'A', text: 'a\0b' },
    ];
    for (const fault of bad) {
      assert.throws(
        () => server.misbehave(fault as Fault),
        { code: 'GEARMAN_INVALID_ARGUMENT' },
        JSON.stringify(fault),
      );
    }
  });
});
