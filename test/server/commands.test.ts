/** The text protocol, answer by answer as gearmand gives it. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { JobServer } from '../../src/server/server.js';
import { Speaker, request } from '../support/speaker.js';

async function serve(t: TestContext) {
  const server = await new JobServer().listen({ port: 0 });
  t.after(() => server.close());
  return { server, connect: () => Speaker.to(t, server.address) };
}

const incomplete = (name: string): string =>
  `ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+${name}\r\n`;
const unknown = (name: string): string => `ERR UNKNOWN_COMMAND Unknown+server+command${name}\r\n`;

describe('commands', () => {
  const answers: [command: string, answer: string][] = [
    ['version\n', 'OK 2.0.0+gearman-client\n'],
    ['VERSION 1 2 3 4\r\n', 'OK 2.0.0+gearman-client\n'],
    ['getpid\r\n', `OK ${process.pid}\n`],
    ['verbose\n', 'OK ERROR\n'],
    ['status\r\n', '.\n'],
    ['status \n', '.\n'],
    ['prioritystatus\n', '.\n'],
    ['show jobs\n', '.\n'],
    ['Show Unique Jobs\n', '.\n'],
    ['\n', unknown('')],
    ['\r\n', unknown('')],
    [' status\n', unknown('')],
    ['foo bar\n', unknown('foo')],
    ['shutdown\r\n', unknown('shutdown')],
    ['shutdown graceful\r\n', unknown('shutdown')],
    ['show\r\n', unknown('show')],
    ['show foo\r\n', 'ERR UNKNOWN_SHOW_ARGUMENTS\r\n'],
    ['show jobs \r\n', 'ERR UNKNOWN_SHOW_ARGUMENTS\r\n'],
    ['cancel\r\n', unknown('cancel')],
    ['cancel job\r\n', unknown('cancel')],
    ['cancel foo x\r\n', 'ERR UNKNOWN_ERROR\r\n'],
    ['cancel job x y\r\n', 'ERR UNKNOWN_ERROR\r\n'],
    ['cancel job H:server:9\r\n', 'ERR UNKNOWN_JOB\r\n'],
    ['cancel job x\r\n', 'ERR UNKNOWN_JOB\r\n'],
    ['create\r\n', incomplete('create')],
    ['create function\r\n', incomplete('create')],
    ['create function a b\r\n', incomplete('create')],
    ['drop\r\n', incomplete('drop')],
    ['drop x y\r\n', incomplete('drop')],
    ['drop function nobody\r\n', 'ERR function not found\r\n'],
    ['maxqueue\n', incomplete('maxqueue')],
    ['maxqueue nobody\r\n', 'OK\r\n'],
    ['maxqueue nobody 1 2 3\r\n', 'OK\r\n'],
  ];

  it('have exactly these answers', async (t) => {
    const peer = await (await serve(t)).connect();
    for (const [command, answer] of answers) {
      assert.equal(await peer.read(command, answer.slice(-2)), answer, JSON.stringify(command));
    }
  });
});

describe('lists', () => {
  it('count functions, jobs and workers', async (t) => {
    const { connect } = await serve(t);
    const [client, worker, peer] = [await connect(), await connect(), await connect()];
    await worker
      .say('SET_CLIENT_ID', ['w'.repeat(200)])
      .say('CAN_DO', ['f'])
      .say('CAN_DO', ['g'])
      .hearsNothing();
    for (const name of ['SUBMIT_JOB_HIGH_BG', 'SUBMIT_JOB_BG', 'SUBMIT_JOB_BG', 'SUBMIT_JOB_LOW_BG']) {
      await client.ask(name, ['f', ''], 'w');
    }
    await client.ask('SUBMIT_JOB_EPOCH', ['f', 'later', '99999999999'], 'w');
    await worker.ask('GRAB_JOB');
    assert.equal(await peer.read('status\n', '.\n'), 'f\t5\t1\t1\ng\t0\t0\t1\n.\n');
    assert.equal(await peer.read('prioritystatus\n', '.\n'), 'f\t0\t3\t1\t1\ng\t0\t0\t0\t1\n.\n');
    const workers = await peer.read('workers\n', '.\n');
    assert.equal(workers, `1 127.0.0.1 - :\n2 127.0.0.1 ${'w'.repeat(127)} : g f\n3 127.0.0.1 - :\n.\n`);
    assert.equal(await peer.read('show unique jobs\n', '.\n'), '\n\n\n\nlater\n.\n');
  });

  it('show jobs with their retries, and whether they are cancelled or in the background', async (t) => {
    const { connect } = await serve(t);
    const [client, peer, worker] = [await connect(), await connect(), await connect()];
    await client.ask('SUBMIT_JOB_BG', ['f', '']);
    await client.ask('SUBMIT_JOB', ['f', '']);
    await worker.say('CAN_DO', ['f']).ask('GRAB_JOB');
    await worker.say('RESET_ABILITIES').hearsNothing();
    assert.equal(await peer.read('show jobs\n', '.\n'), 'H:server:1\t1\t0\t1\nH:server:2\t0\t0\t0\n.\n');
    assert.equal(await peer.read('cancel job H:server:1\r\n', '\n'), 'OK\r\n');
    assert.equal(await peer.read('cancel job H:server:2\r\n', '\n'), 'OK\r\n');
    assert.equal(await peer.read('cancel job H:server:2\r\n', '\n'), 'OK\r\n');
    assert.equal(await client.hear(), 'WORK_FAIL|H:server:2');
    assert.equal(await peer.read('show jobs\n', '.\n'), 'H:server:1\t1\t1\t0\nH:server:2\t0\t1\t0\n.\n');
    assert.equal(await worker.say('CAN_DO', ['f']).ask('GRAB_JOB'), 'NO_JOB');
    assert.equal(await peer.read('show jobs\n', '.\n'), '.\n');
  });
});

describe('commands that change something', () => {
  it('cancel a running job for those who wait, but not for its worker', async (t) => {
    const { connect } = await serve(t);
    const [client, worker, peer] = [await connect(), await connect(), await connect()];
    await client.ask('SUBMIT_JOB', ['f', '']);
    await worker.say('CAN_DO', ['f']).ask('GRAB_JOB');
    assert.equal(await peer.read('cancel job H:server:1\n', '\n'), 'OK\r\n');
    assert.equal(await client.hear(), 'WORK_FAIL|H:server:1');
    worker.say('WORK_COMPLETE', ['H:server:1'], 'done');
    assert.equal(await client.hear(), 'WORK_COMPLETE|H:server:1|done');
  });

  it('create and drop functions', async (t) => {
    const { connect } = await serve(t);
    const [client, worker, peer] = [await connect(), await connect(), await connect()];
    // With a bare LF gearmand would lose the last letter.
    for (const end of ['\r\n', '\n']) assert.equal(await peer.read(`create function fn${end}`, '\n'), 'OK\r\n');
    assert.equal(await peer.read('status\n', '.\n'), 'fn\t0\t0\t0\n.\n');
    await worker.say('CAN_DO', ['fn']).hearsNothing();
    const busy = 'ERR there are still connected workers or executing clients\r\n';
    assert.equal(await peer.read('drop function fn\r\n', '\n'), busy);
    await worker.say('CANT_DO', ['fn']).hearsNothing();
    await client.ask('SUBMIT_JOB', ['fn', '']);
    assert.equal(await peer.read('drop function FN\r\n', '\n'), 'OK\r\n');
    assert.equal(await client.hear(), 'WORK_FAIL|H:server:1');
    assert.equal(await peer.read('status\n', '.\n'), '.\n');
  });

  it('limit the jobs of a function', async (t) => {
    const { connect } = await serve(t);
    const [client, peer] = [await connect(), await connect()];
    const full = 'ERROR|QUEUE_ERROR|Job queue is full';
    const submit = async (how: string): Promise<string> => client.ask(how, ['f', '']);
    await submit('SUBMIT_JOB_BG');
    await peer.read('maxqueue f 1\r\n', 'OK\r\n');
    for (const how of ['SUBMIT_JOB_HIGH', 'SUBMIT_JOB', 'SUBMIT_JOB_LOW_BG']) assert.equal(await submit(how), full);
    await peer.read('maxqueue f 5 1 -1\r\n', 'OK\r\n');
    assert.equal(await submit('SUBMIT_JOB_HIGH_BG'), 'JOB_CREATED|H:server:2');
    assert.equal(await submit('SUBMIT_JOB_BG'), full);
    assert.equal(await submit('SUBMIT_JOB_LOW_BG'), 'JOB_CREATED|H:server:3');
    await peer.read('maxqueue f\r\n', 'OK\r\n');
    assert.equal(await submit('SUBMIT_JOB_BG'), 'JOB_CREATED|H:server:4');
  });

  it('may stand between packets, in any cuts', async (t) => {
    const { connect } = await serve(t);
    for (let size = 1; size < 30; size += 3) {
      const peer = await connect();
      const echo = request('ECHO_REQ', [], 'x\ny');
      const bytes = Buffer.concat([echo, Buffer.from('version\r\n'), echo, Buffer.from('verbose\n'), echo]);
      for (let at = 0; at < bytes.length; at += size) peer.socket.write(bytes.subarray(at, at + size));
      const res = '\0RES\0\0\0\x11\0\0\0\x03x\ny';
      const expected = `${res}OK 2.0.0+gearman-client\n${res}OK ERROR\n${res}`;
      assert.equal(await peer.read('', expected), expected);
    }
  });
});
