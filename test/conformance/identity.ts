/** What a connection says of itself, and the echo. */
import assert from 'node:assert/strict';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

/** The line of a connection in the list of workers; found by a function that is its own. */
async function lineOf(scene: Scene): Promise<string> {
  const [line = ''] = await scene.lines('workers', ` ${scene.fn}`);
  return line;
}

const isCalled =
  (id: string, shown = id): Run =>
  async (scene) => {
    const worker = await scene.worker();
    await worker.send('SET_CLIENT_ID', id).quiet();
    const line = await lineOf(scene);
    assert.match(line, /^\d+ 127\.0\.0\.1 /);
    assert.equal(line.replace(/^\d+ 127\.0\.0\.1 /, ''), `${shown} : ${scene.fn}`);
  };

async function assertEcho(peer: Peer, data: string): Promise<void> {
  const [type, got] = await peer.send('ECHO_REQ', data).next();
  assert.equal(type, 'ECHO_RES');
  assert.ok(got === data, 'another echo came back');
}

const echoes =
  (data: string): Run =>
  async (scene) => {
    await assertEcho(await scene.peer(), data);
  };

export const identity: Theme = {
  'a connection that says nothing is called -': async (scene) => {
    await scene.worker();
    assert.match(await lineOf(scene), /^\d+ 127\.0\.0\.1 - : /);
  },

  'a name': isCalled('me'),
  'a name with spaces': isCalled('me and  you'),
  'no name at all': isCalled(''),
  'a name that ends with a NUL': isCalled('me\0', 'me'),
  'a name with a NUL is cut there': isCalled('me\0you', 'me'),
  'a name of bytes': isCalled('\xff\xc3\xa4'),
  'a name of 127 bytes': isCalled('x'.repeat(127)),
  'a longer name is cut': isCalled('x'.repeat(128), 'x'.repeat(127)),

  'the last name counts': async (scene) => {
    const worker = await scene.worker();
    await worker.send('SET_CLIENT_ID', 'one').send('SET_CLIENT_ID', 'two').quiet();
    assert.ok((await lineOf(scene)).includes(' two : '), 'it is called otherwise');
  },

  'several may have the same': async (scene) => {
    const id = scene.name('id');
    for (let i = 0; i < 2; i++) await (await scene.worker()).send('SET_CLIENT_ID', id).quiet();
    assert.equal((await scene.lines('workers', id)).length, 2);
  },

  'RESET_ABILITIES does not take the name': async (scene) => {
    const worker = await scene.worker();
    const id = scene.name('id');
    await worker.send('SET_CLIENT_ID', id).send('RESET_ABILITIES').quiet();
    const [line = ''] = await scene.lines('workers', id);
    assert.ok(line.endsWith(` ${id} :`), line);
  },

  'the list has clients, too, and who asks for it': async (scene) => {
    const client = await scene.peer();
    const id = scene.name('id');
    client.send('SET_CLIENT_ID', id).say('workers');
    assert.equal((await client.list()).filter((line) => line.includes(` ${id} :`)).length, 1);
  },

  'functions are listed from the last to the first': async (scene) => {
    const functions = ['a', 'b', 'c'].map((fn) => scene.name(fn));
    await scene.worker(...functions, scene.fn);
    assert.ok(
      (await lineOf(scene)).endsWith(` - : ${[...functions, scene.fn].toReversed().join(' ')}`),
      await lineOf(scene),
    );
  },

  'an echo': echoes('hello'),
  'an empty echo': echoes(''),
  'an echo of NULs': echoes('\0\0REQ\0'),
  'an echo of 1 MiB': echoes('0123456789abcdef'.repeat(65_536)),

  'echoes come in order': async (scene) => {
    const peer = await scene.peer();
    for (let i = 0; i < 1000; i++) peer.send('ECHO_REQ', String(i));
    for (let i = 0; i < 1000; i++) await peer.expect('ECHO_RES', String(i));
  },
};
