/** Which servers issued a job handle to this client: remembered long enough, and not for ever. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Handles, idOf } from '../../src/client/handles.js';

const GENERATION = 65_536;

/** Remembers so many handles that nobody asks for. */
function fill(handles: Handles, prefix: string, count = GENERATION): void {
  for (let index = 0; index < count; index++) handles.remember(`${prefix}:${index}`, 'other:1');
}

describe('handles', () => {
  it('are remembered with every server that issued them, once each', () => {
    const handles = new Handles();
    for (const server of ['a:1', 'a:1', 'b:1', 'a:1', 'c:1', 'b:1']) handles.remember('H:1', server);
    assert.deepEqual(handles.serversOf('H:1'), ['a:1', 'b:1', 'c:1']);
  });

  it('that nobody issued to this client have no server', () => {
    assert.deepEqual(new Handles().serversOf('H:1'), []);
  });

  it('are remembered until 65,536 others have come, at least', () => {
    const handles = new Handles();
    fill(handles, 'before', GENERATION - 1);
    handles.remember('H:1', 'a:1');
    fill(handles, 'after', GENERATION - 1);
    assert.deepEqual(handles.serversOf('H:1'), ['a:1']);
  });

  it('are forgotten when twice as many have come, at the latest', () => {
    const handles = new Handles();
    handles.remember('H:1', 'a:1');
    fill(handles, 'x', 2 * GENERATION - 1);
    assert.deepEqual(handles.serversOf('H:1'), []);
  });

  it('are remembered anew when they are issued anew', () => {
    const handles = new Handles();
    handles.remember('H:1', 'a:1');
    fill(handles, 'x', GENERATION - 1);
    handles.remember('H:1', 'a:1');
    fill(handles, 'y', GENERATION - 1);
    assert.deepEqual(handles.serversOf('H:1'), ['a:1']);
  });

  it('keep the servers of the generation before when another one issues them', () => {
    const handles = new Handles();
    handles.remember('H:1', 'a:1');
    handles.remember('H:1', 'b:1');
    fill(handles, 'x');
    handles.remember('H:1', 'c:1');
    assert.deepEqual(handles.serversOf('H:1'), ['a:1', 'b:1', 'c:1']);
    fill(handles, 'y');
    assert.deepEqual(handles.serversOf('H:1'), ['a:1', 'b:1', 'c:1']);
  });

  it('are forgotten in whole generations: the bound holds for a million, too', () => {
    const handles = new Handles();
    fill(handles, 'x', 1_000_000);
    let remembered = 0;
    for (let index = 0; index < 1_000_000; index++) remembered += handles.serversOf(`x:${index}`).length;
    assert.ok(remembered >= GENERATION && remembered < 2 * GENERATION, `${remembered}`);
  });
});

describe('a handle or id', () => {
  const handles = new Handles();

  it('comes with the name of its server, or alone', () => {
    assert.deepEqual(handles.locate('H:host:1'), { handle: 'H:host:1', server: undefined });
    assert.deepEqual(handles.locate('a:4730//H:host:1'), { handle: 'H:host:1', server: 'a:4730' });
    assert.deepEqual(handles.locate('[::1]:4730//H:1'), { handle: 'H:1', server: '[::1]:4730' });
    assert.deepEqual(handles.locate('alpha//H:1'), { handle: 'H:1', server: 'alpha' });
  });

  it('is what idOf makes', () => {
    assert.equal(idOf('a:4730', 'H:1'), 'a:4730//H:1');
    assert.deepEqual(handles.locate(idOf('a:4730', 'H:1')), { handle: 'H:1', server: 'a:4730' });
  });

  it('ends the name at the first //: a name has none, a handle may', () => {
    assert.deepEqual(handles.locate('a//x//y'), { handle: 'x//y', server: 'a' });
  });

  it('is a handle where this client was given one with //', () => {
    const known = new Handles();
    known.remember('x//y', 'a:1');
    assert.deepEqual(known.locate('x//y'), { handle: 'x//y', server: undefined });
  });

  it('has 63 bytes of handle, however long the name is', () => {
    const handle = 'H'.repeat(63);
    assert.deepEqual(handles.locate(`${'n'.repeat(200)}//${handle}`).handle, handle);
    for (const long of [`${handle}H`, `a//${handle}H`]) {
      assert.throws(() => handles.locate(long), {
        code: 'GEARMAN_ARGUMENT_TOO_LARGE',
        message: /64 bytes; the limit is 63/,
      });
    }
  });

  it('is refused without a handle, or with one that none can be', () => {
    const bad: readonly [unknown, RegExp][] = [
      ['', /The job handle is empty\. Pass what doBackground resolved to/],
      ['a//', /empty/],
      ['a//H\0', /NUL/],
      ['H:ü', /printable ASCII/],
      ['a//H:ü', /printable ASCII/],
      [undefined, /must be a string, not undefined/],
      [null, /not null/],
      [7, /not number/],
      [{ handle: 'H:1' }, /not an object/],
      [['H:1'], /not an array/],
    ];
    for (const [value, message] of bad) {
      assert.throws(() => handles.locate(value), { code: 'GEARMAN_INVALID_ARGUMENT', message });
    }
  });
});
