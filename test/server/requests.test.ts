/** What a job server answers to packets. The texts were taken from gearmand. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { JobServer, type JobServerOptions } from '../../src/server/server.js';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import { Clock } from '../support/clock.js';
import { header } from '../support/packets.js';
import { Speaker, request, typeOf } from '../support/speaker.js';

async function serve(t: TestContext, options?: JobServerOptions) {
  const server = await new JobServer(options).listen({ port: 0 });
  t.after(() => server.close());
  return { server, connect: () => Speaker.to(t, server.address) };
}

describe('requests of a client', () => {
  it('submits in every way', async (t) => {
    const { server, connect } = await serve(t, { name: 'x' });
    const client = await connect();
    const plain = ['SUBMIT_JOB', 'SUBMIT_JOB_HIGH', 'SUBMIT_JOB_LOW'];
    let number = 0;
    for (const name of [...plain, ...plain.map((each) => `${each}_BG`)]) {
      assert.equal(await client.ask(name, ['f', ''], name), `JOB_CREATED|H:x:${++number}`);
    }
    assert.equal(await client.ask('SUBMIT_JOB_EPOCH', ['f', '', '1.5'], 'now'), 'JOB_CREATED|H:x:7');
    assert.equal(await client.ask('SUBMIT_REDUCE_JOB', ['f', '', 'r', '0'], 'r'), 'JOB_CREATED|H:x:8');
    assert.equal(await client.ask('SUBMIT_REDUCE_JOB_BACKGROUND', ['f', '', 'r', '0'], 'r'), 'JOB_CREATED|H:x:9');
    const all = server.jobs.map(({ priority, background }) => `${priority} ${background ? 'bg' : 'fg'}`);
    const expected = [
      'normal fg',
      'high fg',
      'low fg',
      'normal bg',
      'high bg',
      'low bg',
      'normal bg',
      'normal fg',
      'normal bg',
    ];
    assert.deepEqual(all, expected);
  });

  it('knows the status of jobs', async (t) => {
    const { connect } = await serve(t);
    const [client, worker] = [await connect(), await connect()];
    await client.ask('SUBMIT_JOB', ['f', 'u'], 'w');
    await client.ask('SUBMIT_JOB', ['f', 'u'], 'w');
    assert.equal(await client.ask('GET_STATUS', ['H:server:1']), 'STATUS_RES|H:server:1|1|0|0|0');
    assert.equal(await client.ask('GET_STATUS_UNIQUE', ['u']), 'STATUS_RES_UNIQUE|u|1|0|0|0|2');
    assert.equal(await worker.say('CAN_DO', ['f']).ask('GRAB_JOB'), 'JOB_ASSIGN|H:server:1|f|w');
    worker.say('WORK_STATUS', ['H:server:1', '-1', '50.5']);
    assert.equal(await client.hear(), 'WORK_STATUS|H:server:1|-1|50.5');
    assert.equal(await client.hear(), 'WORK_STATUS|H:server:1|-1|50.5');
    assert.equal(await client.ask('GET_STATUS', ['H:server:1']), 'STATUS_RES|H:server:1|1|1|4294967295|50');
    assert.equal(await client.ask('GET_STATUS_UNIQUE', ['u']), 'STATUS_RES_UNIQUE|u|1|1|4294967295|50|2');
    for (const handle of ['H:server:2', 'H:server:01', 'H:server:', 'H:other:1', 'x'.repeat(100), '']) {
      assert.equal(await client.ask('GET_STATUS', [handle]), `STATUS_RES|${handle}|0|0|0|0`);
    }
    for (const unique of ['', '-', 'v']) {
      assert.equal(await client.ask('GET_STATUS_UNIQUE', [unique]), `STATUS_RES_UNIQUE|${unique}|0|0|0|0|0`);
    }
  });

  it('takes unique IDs of up to 64 bytes', async (t) => {
    const { connect } = await serve(t);
    const client = await connect();
    const tooLarge = 'ERROR|ARGUMENT_TOO_LARGE|Unique value too large';
    assert.equal(await client.ask('SUBMIT_JOB_BG', ['f', 'u'.repeat(65)]), tooLarge);
    assert.equal(await client.ask('SUBMIT_REDUCE_JOB', ['f', 'u', 'r'.repeat(65), '']), tooLarge);
    assert.equal(await client.ask('SUBMIT_JOB_BG', ['f', 'u'.repeat(64)]), 'JOB_CREATED|H:server:1');
    assert.equal(await client.ask('SUBMIT_JOB_BG', ['f', 'u'.repeat(64)]), 'JOB_CREATED|H:server:1');
  });

  it('echoes, and knows one option', async (t) => {
    const { connect } = await serve(t);
    const client = await connect();
    assert.equal(await client.ask('ECHO_REQ', [], 'a\0b'), 'ECHO_RES|a\0b');
    assert.equal(await client.ask('OPTION_REQ', ['Exceptions']), 'OPTION_RES|Exceptions');
    const unknown = 'ERROR|UNKNOWN_OPTION|Server does not recognize given option';
    assert.equal(await client.ask('OPTION_REQ', ['exception']), unknown);
    assert.equal(await client.ask('OPTION_REQ', ['']), unknown);
  });

  it('keeps names and workloads byte for byte, whatever their size', async (t) => {
    const { connect } = await serve(t);
    const [client, worker] = [await connect(), await connect()];
    const name = Buffer.from([0xff, 0x80, 0x20, 0xc3]);
    worker.say('CAN_DO', [name]);
    for (const bytes of [0, 1, 4095, 4096, 20_000, 200_000]) {
      const workload = Buffer.alloc(bytes, Buffer.from([0, 1, 0xff, 0x80]));
      await client.ask('SUBMIT_JOB_BG', [name, Buffer.from([0xe9])], workload);
      const assigned = await worker.ask('GRAB_JOB_UNIQ');
      const [, handle = '', ...rest] = assigned.split('|');
      assert.deepEqual(rest, [name.toString('latin1'), 'é', workload.toString('latin1')]);
      worker.say('WORK_COMPLETE', [handle]);
    }
  });

  it('answers requests that nobody may send with an ERROR, and goes on', async (t) => {
    const { connect } = await serve(t);
    const client = await connect();
    const notExpected = 'ERROR|INVALID_COMMAND|Command not expected';
    for (const name of ['NOOP', 'JOB_CREATED', 'NO_JOB', 'ECHO_RES', 'ALL_YOURS', 'ERROR', 'STATUS_RES_UNIQUE']) {
      client.socket.write(header(typeOf(name), 1, '\0REQ'));
      client.socket.write('x');
      assert.equal(await client.hear(), notExpected, name);
    }
    client.socket.write(header(5, 0, '\0REQ'));
    assert.equal(await client.hear(), notExpected);
    assert.equal(await client.ask('SUBMIT_JOB_SCHED', ['f', 'u', '1', '2', '3', '4', '5'], 'w'), notExpected);
    const foreign = encode('RES', TYPE.ECHO_RES, [], 'x');
    for (const part of [foreign, foreign.subarray(0, 3), foreign.subarray(3)]) client.socket.write(part);
    for (let i = 0; i < 2; i++) assert.equal(await client.hear(), 'ERROR|INVALID_MAGIC|Request magic expected');
    await client.hearsNothing();
  });
});

describe('requests of a worker', () => {
  it('are given jobs in the way they ask for', async (t) => {
    const { connect } = await serve(t);
    const [client, worker] = [await connect(), await connect()];
    worker.say('CAN_DO', ['f']);
    assert.equal(await worker.ask('GRAB_JOB'), 'NO_JOB');
    const submit = async (): Promise<void> => {
      await client.ask('SUBMIT_REDUCE_JOB_BACKGROUND', ['f', '', 'r', '0'], 'w');
    };
    for (const [name, expected] of [
      ['GRAB_JOB', 'JOB_ASSIGN|H:server:1|f|w'],
      ['GRAB_JOB_UNIQ', 'JOB_ASSIGN_UNIQ|H:server:2|f||w'],
      ['GRAB_JOB_ALL', 'JOB_ASSIGN_ALL|H:server:3|f||r|w'],
    ] as const) {
      await submit();
      assert.equal(await worker.ask(name), expected);
    }
    await client.ask('SUBMIT_JOB_BG', ['f', 'u'], 'w');
    assert.equal(await worker.ask('GRAB_JOB_ALL'), 'JOB_ASSIGN_UNIQ|H:server:4|f|u|w');
  });

  it('pass on what they say of their jobs', async (t) => {
    const { connect } = await serve(t);
    const [client, worker] = [await connect(), await connect()];
    worker.say('CAN_DO', ['f']);
    const start = async (): Promise<string> => {
      const created = await client.ask('SUBMIT_JOB', ['f', ''], 'w');
      await worker.ask('GRAB_JOB');
      return created.slice('JOB_CREATED|'.length);
    };
    const first = await start();
    worker.say('WORK_DATA', [first], 'd\0').say('WORK_WARNING', [first], 'w').say('WORK_COMPLETE', [first], 'c');
    for (const expected of [`WORK_DATA|${first}|d\0`, `WORK_WARNING|${first}|w`, `WORK_COMPLETE|${first}|c`]) {
      assert.equal(await client.hear(), expected);
    }
    const second = await start();
    // As libgearman sends it.
    worker.say('WORK_FAIL', [`${second}\0`]);
    assert.equal(await client.hear(), `WORK_FAIL|${second}`);
    const third = await start();
    worker.say('WORK_EXCEPTION', [third], 'why');
    assert.equal(await client.hear(), `WORK_FAIL|${third}`);
    await client.ask('OPTION_REQ', ['exceptions']);
    const fourth = await start();
    worker.say('WORK_EXCEPTION', [fourth], 'why');
    assert.equal(await client.hear(), `WORK_EXCEPTION|${fourth}|why`);
    assert.equal(await client.ask('GET_STATUS', [fourth]), `STATUS_RES|${fourth}|0|0|0|0`);
  });

  it('get an ERROR for a job that is not theirs', async (t) => {
    const { connect } = await serve(t);
    const [client, worker, other] = [await connect(), await connect(), await connect()];
    await client.ask('SUBMIT_JOB_BG', ['f', '']);
    await other.say('CAN_DO', ['f']).ask('GRAB_JOB');
    const result = 'ERROR|JOB_NOT_FOUND|Job given in work result not found';
    for (const handle of ['H:server:1', 'H:server:2', 'x']) {
      for (const [name, args, expected] of [
        ['WORK_STATUS', ['1', '2'], result],
        ['WORK_COMPLETE', [], result],
        ['WORK_FAIL', [], result],
        ['WORK_DATA', [], 'ERROR|JOB_NOT_FOUND|Job does not exist on server'],
        ['WORK_WARNING', [], 'ERROR|JOB_NOT_FOUND|Job does not exist on server'],
        ['WORK_EXCEPTION', [], 'ERROR|JOB_NOT_FOUND|An exception was received for a job that does not exist'],
      ] as const) {
        assert.equal(await worker.ask(name, [handle, ...args]), expected, name);
      }
    }
    const text = 'Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf';
    assert.equal(await worker.ask('WORK_FAIL', ['x'.repeat(64)]), `ERROR|ARGUMENT_TOO_LARGE|${text}`);
  });

  it('sleep until a job comes', async (t) => {
    const { connect } = await serve(t);
    const [client, worker] = [await connect(), await connect()];
    await worker.say('CAN_DO', ['f']).say('PRE_SLEEP').hearsNothing();
    await client.ask('SUBMIT_JOB_BG', ['f', ''], '1');
    assert.equal(await worker.hear(), 'NOOP');
    await client.ask('SUBMIT_JOB_BG', ['f', ''], '2');
    await worker.hearsNothing();
    // A job waits: there is no need to sleep.
    assert.equal(await worker.ask('PRE_SLEEP'), 'NOOP');
    assert.equal(await worker.ask('GRAB_JOB'), 'JOB_ASSIGN|H:server:1|f|1');
    assert.equal(await worker.ask('GRAB_JOB'), 'JOB_ASSIGN|H:server:2|f|2');
  });

  it('lose their jobs with their functions', async (t) => {
    const { server, connect } = await serve(t);
    const [client, worker, other] = [await connect(), await connect(), await connect()];
    for (const name of ['a', 'b', 'c']) {
      worker.say('CAN_DO', [name]);
      other.say('CAN_DO', [name]);
      await client.ask('SUBMIT_JOB', [name, '']);
    }
    for (let i = 0; i < 3; i++) await worker.ask('GRAB_JOB');
    await worker.say('CANT_DO', ['b']).say('CANT_DO', ['unknown']).hearsNothing();
    assert.equal(await other.ask('GRAB_JOB'), 'JOB_ASSIGN|H:server:2|b|');
    await worker.say('RESET_ABILITIES').hearsNothing();
    assert.equal(await other.ask('GRAB_JOB'), 'JOB_ASSIGN|H:server:3|c|');
    other.socket.destroy();
    for (const handle of ['H:server:2', 'H:server:3']) await server.waitFor(handle, 'queued');
    const last = await connect();
    for (const name of ['a', 'b', 'c']) last.say('CAN_DO', [name]);
    await last.say('PRE_SLEEP').hear();
    const numbers = [];
    for (let i = 0; i < 3; i++) numbers.push((await last.ask('GRAB_JOB')).split('|')[2]);
    assert.deepEqual(numbers.sort(), ['a', 'b', 'c']);
    await client.say('RESET_ABILITIES').say('CANT_DO', ['a']).hearsNothing();
  });

  it('have their time, and a job its epoch', async (t) => {
    const clock = new Clock();
    const server = await new JobServer({}, clock).listen({ port: 0 });
    t.after(() => server.close());
    const [client, worker, other] = [
      await Speaker.to(t, server.address),
      await Speaker.to(t, server.address),
      await Speaker.to(t, server.address),
    ];
    for (const junk of ['0', '-5', 'x', '']) worker.say('CAN_DO_TIMEOUT', ['g', junk]);
    worker.say('CAN_DO_TIMEOUT', ['f', '1']);
    other.say('CAN_DO', ['f']).say('PRE_SLEEP');
    await other.hearsNothing();
    const epoch = String(clock.wallClock() / 1000 + 2);
    assert.equal(await client.ask('SUBMIT_JOB_EPOCH', ['f', '', epoch], 'w'), 'JOB_CREATED|H:server:1');
    // gearmand wakes workers for a job of the future, too.
    assert.equal(await other.hear(), 'NOOP');
    assert.equal(await other.ask('GRAB_JOB'), 'NO_JOB');
    await other.say('PRE_SLEEP').hearsNothing();
    clock.advance(2000);
    assert.equal(await other.hear(), 'NOOP');
    assert.equal(await worker.ask('GRAB_JOB'), 'JOB_ASSIGN|H:server:1|f|w');
    assert.equal(await other.ask('GRAB_JOB'), 'NO_JOB');
    await other.say('PRE_SLEEP').hearsNothing();
    clock.advance(1000);
    assert.equal(await other.hear(), 'NOOP');
    assert.equal(
      await worker.ask('WORK_COMPLETE', ['H:server:1']),
      'ERROR|JOB_NOT_FOUND|Job given in work result not found',
    );
    worker.say('CAN_DO_TIMEOUT', ['f', '1'.repeat(21)]);
    await worker.closed();
    await server.close();
    assert.equal(clock.alarms, 0);
  });

  it('give up a job after so many retries', async (t) => {
    const { connect } = await serve(t, { jobRetries: 1 });
    const [client, worker] = [await connect(), await connect()];
    await client.ask('SUBMIT_JOB', ['f', '']);
    await worker.say('CAN_DO', ['f']).ask('GRAB_JOB');
    worker.socket.destroy();
    assert.equal(await client.hear(), 'WORK_FAIL|H:server:1');
  });
});

describe('a peer that breaks the protocol', () => {
  const bad: Record<string, Buffer> = {
    'a wrong magic': Buffer.from('\0REX'),
    'a type that does not exist': header(43, 0, '\0REQ'),
    'type 0': header(0, 0, '\0REQ'),
    'a length over the limit': header(typeOf('ECHO_REQ'), 0xffff_ffff, '\0REQ'),
    'missing arguments': Buffer.concat([header(typeOf('SUBMIT_JOB'), 3, '\0REQ'), Buffer.from('abc')]),
    'a result without the end of its handle': Buffer.concat([header(13, 3, '\0REQ'), Buffer.from('H:x')]),
    'a function name of 9000 bytes': request('CAN_DO', ['f'.repeat(9000)]),
    'a job for such a function': request('SUBMIT_JOB_BG', ['f'.repeat(9000), '']),
    'a line of six words': Buffer.from('a b c d e f\r\n'),
    'a line without an end': Buffer.alloc(9000, 'a'),
    noise: Buffer.from([0, 255, 3, 9, 200, 1, 0, 0, 7]),
  };

  for (const [what, bytes] of Object.entries(bad)) {
    it(`is cut for ${what}, and nobody else is`, async (t) => {
      const { connect } = await serve(t, { maxPacketSize: 1000 });
      const [culprit, other] = [await connect(), await connect()];
      await culprit.say('CAN_DO', ['f']).hearsNothing();
      culprit.socket.write(bytes);
      await culprit.closed();
      await other.hearsNothing();
      assert.match(await other.read('workers\n', '.\n'), /^\d+ 127\.0\.0\.1 - :\n\.\n$/);
    });
  }
});
