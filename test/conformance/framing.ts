/** Packets and lines in any cuts. */
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { request } from './packets.js';
import type { Peer } from './peer.js';
import type { Theme } from './scene.js';

/** Writes bytes in two parts, so that the job server reads them one by one. */
async function writeCut(peer: Peer, bytes: Buffer, at: number): Promise<void> {
  peer.write(bytes.subarray(0, at));
  await setImmediate();
  await setImmediate();
  peer.write(bytes.subarray(at));
}

async function writeByByte(peer: Peer, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    peer.write(Buffer.of(byte));
    await setImmediate();
  }
}

export const framing: Theme = {
  'a submission that is cut anywhere': async (scene) => {
    const [client, worker] = await scene.pair();
    const bytes = request('SUBMIT_JOB_BG', scene.fn, '', 'a\0workload');
    for (let at = 1; at < bytes.length; at++) {
      await writeCut(client, bytes, at);
      const [type, handle] = await client.next();
      assert.equal(type, 'JOB_CREATED', `cut at ${String(at)}`);
      const job = await worker.grab();
      assert.deepEqual(job, { handle, fn: scene.fn, unique: '', workload: 'a\0workload' }, `cut at ${String(at)}`);
    }
  },

  'a result that is cut anywhere': async (scene) => {
    const [client, worker] = await scene.pair();
    const { length } = request('WORK_COMPLETE', 'H:', 'a\0result');
    for (let at = 1; at < length; at++) {
      const handle = await client.submit('SUBMIT_JOB', scene.fn, '', '');
      await worker.grab();
      await writeCut(worker, request('WORK_COMPLETE', handle, 'a\0result'), at);
      await client.expect('WORK_COMPLETE', handle, 'a\0result');
    }
  },

  'a line that is cut anywhere': async (scene) => {
    const peer = await scene.peer();
    const bytes = Buffer.from('show nothing\r\n');
    for (let at = 1; at < bytes.length; at++) {
      await writeCut(peer, bytes, at);
      await peer.expect('TEXT', 'ERR UNKNOWN_SHOW_ARGUMENTS\r\n');
    }
  },

  'packets and lines that come byte by byte': async (scene) => {
    const client = await scene.peer();
    const packets = [request('ECHO_REQ', '1'), Buffer.from('show x\r\n'), request('ECHO_REQ', ''), request('GRAB_JOB')];
    await writeByByte(client, Buffer.concat(packets));
    await client.expect('ECHO_RES', '1');
    await client.expect('TEXT', 'ERR UNKNOWN_SHOW_ARGUMENTS\r\n');
    await client.expect('ECHO_RES', '');
    await client.expect('NO_JOB');
  },

  'text and packets in one write are answered in order': async (scene) => {
    const peer = await scene.worker();
    const parts = [
      request('SUBMIT_JOB_BG', scene.fn, '', ''),
      Buffer.from('version\r\n'),
      request('ECHO_REQ', 'echo'),
      Buffer.from('status\r\nshow x\n'),
      request('OPTION_REQ', 'x'),
      request('GRAB_JOB'),
      Buffer.from('getpid\r\n'),
      request('GET_STATUS', 'x'),
    ];
    peer.write(Buffer.concat(parts));
    const [created, handle = ''] = await peer.next();
    assert.equal(created, 'JOB_CREATED');
    assert.match(await peer.line(), /^OK \d+\./);
    await peer.expect('ECHO_RES', 'echo');
    assert.ok((await peer.list()).includes(`${scene.fn}\t1\t0\t1`), 'no line of the function');
    await peer.expect('TEXT', 'ERR UNKNOWN_SHOW_ARGUMENTS\r\n');
    await peer.expectError('UNKNOWN_OPTION');
    await peer.expect('JOB_ASSIGN', handle, scene.fn, '');
    assert.match(await peer.line(), /^OK \d+\n/);
    await peer.expect('STATUS_RES', 'x', '0', '0', '0', '0');
  },

  'a thousand submissions in one write': async (scene) => {
    const [client, worker] = await scene.pair();
    const workloads = Array.from({ length: 1000 }, (_, i) => `${String(i)} ${'x'.repeat(i)}`);
    client.write(Buffer.concat(workloads.map((workload) => request('SUBMIT_JOB_BG', scene.fn, '', workload))));
    for (const workload of workloads) assert.equal((await client.next())[0], 'JOB_CREATED', workload);
    assert.ok((await worker.drain()).join() === workloads.join(), 'other workloads arrived');
  },

  'small packets right behind a big one': async (scene) => {
    const peer = await scene.peer();
    const big = 'x'.repeat(300_000);
    peer.write(Buffer.concat([request('ECHO_REQ', big), request('ECHO_REQ', 'small'), request('GRAB_JOB')]));
    assert.ok((await peer.next())[1] === big, 'another echo came back');
    await peer.expect('ECHO_RES', 'small');
    await peer.expect('NO_JOB');
  },

  'a header, and then nothing, keeps nobody else waiting': async (scene) => {
    const slow = await scene.peer();
    slow.write(request('ECHO_REQ', 'slow').subarray(0, 14));
    await (await scene.peer()).quiet();
    slow.write('ow');
    await slow.expect('ECHO_RES', 'slow');
  },

  'a packet that is never completed is no request': async (scene) => {
    const peer = await scene.peer();
    await peer.quiet();
    peer.write(request('SUBMIT_JOB_BG', scene.fn, '', 'workload').subarray(0, -1));
    await scene.peer().then((other) => other.quiet());
    peer.close();
    assert.deepEqual(await scene.lines('status'), []);
  },

  'a packet without arguments may have some': async (scene) => {
    const worker = await scene.worker();
    worker.sendNumber(9, 'arguments');
    await worker.expect('NO_JOB');
    await worker.quiet();
  },
};
