/** The commands of the text protocol, to the byte. */
import assert from 'node:assert/strict';
import type { Run, Theme } from './scene.js';

const answers =
  (line: string, answer: string): Run =>
  async (scene) => {
    const peer = await scene.peer();
    await peer.say(line).expect('TEXT', `${answer}\r\n`);
    await peer.quiet();
  };

const matches =
  (line: string, answer: RegExp): Run =>
  async (scene) => {
    const peer = await scene.peer();
    assert.match(await peer.say(line).line(), answer);
    await peer.quiet();
  };

const incomplete = (command: string): string =>
  `ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+${command}`;
const unknown = (command: string): string => `ERR UNKNOWN_COMMAND Unknown+server+command${command}`;

/** Lines that are refused, and how. */
const REFUSED: Readonly<Record<string, string>> = {
  nonsense: unknown('nonsense'),
  NonSense: unknown('NonSense'),
  ' version': unknown(''),
  shutdown: unknown('shutdown'),
  'shutdown graceful': unknown('shutdown'),
  show: unknown('show'),
  'show me': 'ERR UNKNOWN_SHOW_ARGUMENTS',
  'show unique': 'ERR UNKNOWN_SHOW_ARGUMENTS',
  'show jobs now': 'ERR UNKNOWN_SHOW_ARGUMENTS',
  'show unique jobs now': 'ERR UNKNOWN_SHOW_ARGUMENTS',
  cancel: unknown('cancel'),
  'cancel job': unknown('cancel'),
  'cancel all jobs': 'ERR UNKNOWN_ERROR',
  'cancel job H:nobody:1 now': 'ERR UNKNOWN_ERROR',
  'cancel job H:nobody:1': 'ERR UNKNOWN_JOB',
  'cancel job nonsense': 'ERR UNKNOWN_JOB',
  create: incomplete('create'),
  'create function': incomplete('create'),
  'create table f': incomplete('create'),
  'create function f g': incomplete('create'),
  drop: incomplete('drop'),
  'drop function': incomplete('drop'),
  'drop table f': incomplete('drop'),
  'drop function that-never-was': 'ERR function not found',
  maxqueue: incomplete('maxqueue'),
  MAXQUEUE: incomplete('MAXQUEUE'),
};

export const text: Theme = {
  ...Object.fromEntries(
    Object.entries(REFUSED).map(([line, answer]) => [`"${line}" is refused`, answers(line, answer)]),
  ),

  version: matches('version', /^OK \d+\.\d+\.\d+\S*\n$/),
  getpid: matches('getpid', /^OK [1-9]\d*\n$/),
  verbose: matches('verbose', /^OK ERROR\n$/),
  'keywords in any case': matches('VerSion', /^OK \d+\./),
  'words behind that are not needed': matches('version please', /^OK \d+\./),
  'a line may end with LF alone': async (scene) => {
    const peer = await scene.peer();
    assert.match(await peer.write('version\n').line(), /^OK \d+\./);
  },

  'a line of five words': answers('cancel job a b c', 'ERR UNKNOWN_ERROR'),
  'a line of six words ends the connection': async (scene) => {
    await (await scene.peer()).say('cancel job a b c d').closed();
  },
  'a line that is too long ends the connection': async (scene) => {
    await (await scene.peer()).say('x'.repeat(10_000)).closed();
  },

  status: async (scene) => {
    const [client, worker] = await scene.pair();
    for (let i = 0; i < 2; i++) await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.grab();
    assert.deepEqual(await scene.lines('status'), [`${scene.fn}\t2\t1\t1`]);
    assert.deepEqual(await scene.lines('STATUS'), [`${scene.fn}\t2\t1\t1`]);
  },

  prioritystatus: async (scene) => {
    const [client, worker] = await scene.pair();
    for (const type of ['SUBMIT_JOB_HIGH', 'SUBMIT_JOB_HIGH_BG', 'SUBMIT_JOB', 'SUBMIT_JOB_LOW_BG'] as const) {
      await client.submit(type, scene.fn, '', '');
    }
    assert.deepEqual(await scene.lines('prioritystatus'), [`${scene.fn}\t2\t1\t1\t1`]);
    await worker.grab();
    assert.deepEqual(await scene.lines('prioritystatus'), [`${scene.fn}\t1\t1\t1\t1`]);
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', '4000000000', '');
    assert.deepEqual(await scene.lines('prioritystatus'), [`${scene.fn}\t1\t2\t1\t1`]);
  },

  'show jobs': async (scene) => {
    const [client, worker] = await scene.pair();
    const queued = await client.submit('SUBMIT_JOB', scene.fn, '', '');
    const background = await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    const lineOf = async (handle: string): Promise<string> => (await scene.lines('show jobs', `${handle}\t`)).join();
    assert.equal(await lineOf(queued), `${queued}\t0\t0\t0`);
    assert.equal(await lineOf(background), `${background}\t0\t0\t1`);
    assert.equal((await worker.grab()).handle, queued);
    assert.equal((await worker.grab()).handle, background);
    assert.equal(await lineOf(queued), `${queued}\t0\t0\t0`);
    assert.equal(await lineOf(background), `${background}\t0\t0\t1`);
    await scene.leave(worker);
    assert.equal(await lineOf(queued), `${queued}\t1\t0\t0`);
    assert.equal(await lineOf(background), `${background}\t1\t0\t1`);
  },

  'show unique jobs': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    await client.submit('SUBMIT_JOB', scene.name('g'), scene.unique, '');
    assert.deepEqual(await scene.lines('show unique jobs'), [scene.unique, scene.unique]);
    await worker.drain();
    assert.deepEqual(await scene.lines('Show Unique JOBS'), [scene.unique]);
  },

  'cancel job: a queued one does not start, and its client is told': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, '', '');
    const admin = await scene.peer();
    await admin.say(`cancel job ${handle}`).expect('TEXT', 'OK\r\n');
    await client.expect('WORK_FAIL', handle);
    await worker.grabNothing();
    assert.equal(await client.status(handle), '0 0 0 0');
    await admin.say(`cancel job ${handle}`).expect('TEXT', 'ERR UNKNOWN_JOB\r\n');
    await client.quiet();
  },

  'cancel job: it stays known until a worker would get it, and may be cancelled again': async (scene) => {
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, '');
    for (let i = 0; i < 2; i++) await client.say(`CANCEL Job ${handle}`).expect('TEXT', 'OK\r\n');
    assert.equal(await client.status(handle), '1 0 0 0');
    assert.deepEqual(await scene.lines('show jobs', `${handle}\t`), [`${handle}\t0\t1\t0`]);
    await (await scene.worker()).grabNothing();
    assert.equal(await client.status(handle), '0 0 0 0');
  },

  'cancel job: the worker of a running one is not told, and goes on': async (scene) => {
    const { client, worker, handle } = await scene.running();
    client.say(`cancel job ${handle}`);
    const first = await client.next();
    const second = await client.next();
    assert.deepEqual([first, second].map(([type]) => type).toSorted(), ['TEXT', 'WORK_FAIL']);
    await worker.quiet();
    assert.equal(await client.status(handle), '1 1 0 0');
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.expect('WORK_COMPLETE', handle, 'r');
    await client.quiet();
  },

  'cancel job: one that loses its worker is not done again': async (scene) => {
    const { client, worker, handle } = await scene.running();
    const admin = await scene.peer();
    await admin.say(`cancel job ${handle}`).expect('TEXT', 'OK\r\n');
    await client.expect('WORK_FAIL', handle);
    await scene.leave(worker);
    await (await scene.worker()).grabNothing();
    await client.quiet();
    assert.equal(await client.status(handle), '0 0 0 0');
  },

  'cancel job: who submits it again gets a new one': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, 'old');
    await client.say(`cancel job ${handle}`).expect('TEXT', 'OK\r\n');
    const again = await client.submit('SUBMIT_JOB_BG', scene.fn, scene.unique, 'new');
    const isLost = scene.differs('submissions join jobs that never start');
    assert.equal(again === handle, isLost);
    assert.deepEqual(await worker.drain(), isLost ? [] : ['new']);
  },

  'create function': async (scene) => {
    const peer = await scene.peer();
    await peer.say(`Create FUNCTION ${scene.fn}`).expect('TEXT', 'OK\r\n');
    assert.deepEqual(await scene.lines('status'), [`${scene.fn}\t0\t0\t0`]);
    await peer.say(`create function ${scene.fn}`).expect('TEXT', 'OK\r\n');
    assert.deepEqual(await scene.lines('status'), [`${scene.fn}\t0\t0\t0`]);
  },

  'create function: a line that ends with LF alone': async (scene) => {
    const peer = await scene.peer();
    await peer.write(`create function ${scene.fn}x\n`).expect('TEXT', 'OK\r\n');
    const end = scene.differs('a function is created without its last letter') ? '' : 'x';
    assert.deepEqual(await scene.lines('status'), [`${scene.fn}${end}\t0\t0\t0`]);
  },

  'drop function': async (scene) => {
    const peer = await scene.peer();
    await peer.say(`create function ${scene.fn}`).expect('TEXT', 'OK\r\n');
    await peer.say(`drop function ${scene.fn}`).expect('TEXT', 'OK\r\n');
    assert.deepEqual(await scene.lines('status'), []);
    await peer.say(`drop function ${scene.fn}`).expect('TEXT', 'ERR function not found\r\n');
  },

  'drop function: its name in any case': async (scene) => {
    const peer = await scene.peer();
    await peer.say(`create function ${scene.fn}`).expect('TEXT', 'OK\r\n');
    await peer.say(`drop function ${scene.fn.toUpperCase()}`).expect('TEXT', 'OK\r\n');
    assert.deepEqual(await scene.lines('status'), []);
  },

  'drop function: not while it has workers': async (scene) => {
    const worker = await scene.worker();
    const refusal = 'ERR there are still connected workers or executing clients\r\n';
    await worker.say(`drop function ${scene.fn}`).expect('TEXT', refusal);
    await worker.send('CANT_DO', scene.fn).say(`drop function ${scene.fn}`).expect('TEXT', 'OK\r\n');
  },

  'drop function: its jobs fail': async (scene) => {
    // They would stay without a function, and the next look at them would be at memory that was given back.
    if (scene.differs('a dropped function leaves its jobs behind')) return;
    const client = await scene.peer();
    const handle = await client.submit('SUBMIT_JOB', scene.fn, scene.unique, '');
    client.say(`drop function ${scene.fn}`);
    await client.expect('WORK_FAIL', handle);
    await client.expect('TEXT', 'OK\r\n');
    assert.equal(await client.status(handle), '0 0 0 0');
    assert.equal(await client.statusByUnique(scene.unique), '0 0 0 0 0');
    assert.deepEqual(await scene.lines('status'), []);
  },

  'lists of one connection come in order': async (scene) => {
    const peer = await scene.worker();
    peer.say('status').say('version').say('prioritystatus').say('getpid');
    assert.ok((await peer.list()).includes(`${scene.fn}\t0\t0\t1`), 'no line of the function');
    assert.match(await peer.line(), /^OK \d+\./);
    assert.ok((await peer.list()).includes(`${scene.fn}\t0\t0\t0\t1`), 'no line of the function');
    assert.match(await peer.line(), /^OK \d+\n/);
  },
};
