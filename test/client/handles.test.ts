/** Which servers issued a job handle to this client: remembered long enough, and not for ever. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Handles, idOf } from '../../src/client/handles.js';
import { Packet } from '../../src/protocol/incoming.js';
import { TYPE } from '../../src/protocol/packet.js';

const GENERATION = 65_536;

/** A JOB_CREATED in the midst of other bytes. */
function created(handle: string): Packet {
  const bytes = Buffer.from(`01${handle}23`, 'latin1');
  return new Packet(TYPE.JOB_CREATED, bytes, 2, bytes.length - 2);
}

/** Remembers so many handles that nobody asks for. */
function fill(handles: Handles, prefix: string, count = GENERATION): void {
  for (let index = 0; index < count; index++) handles.read(created(`${prefix}:${index}`), 'other:1');
}

describe('handles', () => {
  it('are remembered with every server that issued them, once each', () => {
    const handles = new Handles();
    for (const server of ['a:1', 'a:1', 'b:1', 'a:1', 'c:1', 'b:1']) handles.read(created('H:1'), server);
    assert.deepEqual(handles.serversOf('H:1'), ['a:1', 'b:1', 'c:1']);
  });

  it('that nobody issued to this client have no server', () => {
    assert.deepEqual(new Handles().serversOf('H:1'), []);
  });

  it('are remembered until 65,536 others have come, at least', () => {
    const handles = new Handles();
    fill(handles, 'before', GENERATION - 1);
    handles.read(created('H:1'), 'a:1');
    fill(handles, 'after', GENERATION - 1);
    assert.deepEqual(handles.serversOf('H:1'), ['a:1']);
  });

  it('are forgotten when twice as many have come, at the latest', () => {
    const handles = new Handles();
    handles.read(created('H:1'), 'a:1');
    fill(handles, 'x', 2 * GENERATION - 1);
    assert.deepEqual(handles.serversOf('H:1'), []);
  });

  it('are remembered anew when they are issued anew', () => {
    const handles = new Handles();
    handles.read(created('H:1'), 'a:1');
    fill(handles, 'x', GENERATION - 1);
    handles.read(created('H:1'), 'a:1');
    fill(handles, 'y', GENERATION - 1);
    assert.deepEqual(handles.serversOf('H:1'), ['a:1']);
  });

  for (const handle of ['H:1', 'H:host:1234567', 'H:host:01234567', 'plain']) {
    it(`keep the servers of the generation before when another one issues them: ${handle}`, () => {
      const handles = new Handles();
      // One has other prefixes: to it the handle is none of its numbers.
      handles.read(created('H:other:1234567'), 'b:1');
      for (const server of ['a:1', 'b:1']) handles.read(created(handle), server);
      handles.read(created('H:host:1234568'), 'd:1');
      handles.read(created('H:other:1234567'), 'e:1');
      for (const generation of ['x', 'y']) {
        fill(handles, generation);
        if (generation === 'x') handles.read(created(handle), 'c:1');
        assert.deepEqual([...handles.serversOf(handle)].sort(), ['a:1', 'b:1', 'c:1']);
      }
    });
  }

  it('are not forgotten because one of two servers that issued the same one issues it again and again', () => {
    const handles = new Handles();
    for (const server of ['a:1', 'b:1']) handles.read(created('H:host:1'), server);
    fill(handles, 'x', GENERATION - 2);
    handles.read(created('H:host:2'), 'a:1');
    // As it does while it coalesces jobs of a unique ID.
    for (let count = 0; count < 2 * GENERATION; count++) handles.read(created('H:host:1'), 'b:1');
    assert.deepEqual(handles.serversOf('H:host:2'), ['a:1']);
    assert.deepEqual([...handles.serversOf('H:host:1')].sort(), ['a:1', 'b:1']);
  });

  it('are forgotten in whole generations: the bound holds for a million, too', () => {
    const handles = new Handles();
    fill(handles, 'x', 1_000_000);
    let remembered = 0;
    for (let index = 0; index < 1_000_000; index++) remembered += handles.serversOf(`x:${index}`).length;
    assert.ok(remembered >= GENERATION && remembered < 2 * GENERATION, `${remembered}`);
  });
});

describe('a handle in a JOB_CREATED', () => {
  const number = fc.oneof(fc.nat(3000), fc.integer({ min: 999_990, max: 1_000_010 }), fc.nat(20_000_000_000));
  const handle = fc.oneof(
    fc
      .tuple(fc.constantFrom('H:host:', 'H:other:', 'H:ü:', ''), number)
      .map(([prefix, count]) => prefix + String(count)),
    fc.constantFrom(
      'H:host:',
      'H:host:007',
      'H:host:0',
      'H:host:00',
      'H:host:-5',
      'H:host:1e6',
      'H:host:1000x',
      'H:host',
    ),
    fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 70 }).map((text) => text.replaceAll('\0', '0')),
  );

  it('is read exactly as it came, whichever came before, and remembered where it can be asked for', () => {
    fc.assert(
      fc.property(fc.array(handle, { maxLength: 40 }), handle, (came, stranger) => {
        const handles = new Handles();
        for (const each of came) assert.equal(handles.read(created(each), 'a:1'), each);
        const isKnown = came.includes(stranger) && stranger.length <= 63;
        assert.deepEqual(handles.serversOf(stranger), isKnown ? ['a:1'] : []);
        for (const each of came) assert.deepEqual(handles.serversOf(each), each.length <= 63 ? ['a:1'] : []);
      }),
      { numRuns: 500 },
    );
  });

  it('may have a NUL behind it, and nothing behind that; there must be one', () => {
    const handles = new Handles();
    for (const first of ['H:host:1234567', 'H:host:5', 'x']) {
      assert.equal(handles.read(created(`${first}\0`), 'a:1'), first);
      for (const bad of [`${first}\0\0`, `${first}\0x`, '', '\0']) {
        assert.throws(() => handles.read(created(bad), 'a:1'), {
          code: 'GEARMAN_UNEXPECTED_PACKET',
          message: 'JOB_CREATED came without a job handle, or with more than that.',
        });
      }
    }
  });

  it('is of two pieces that others share, and equal to one of one piece all the same', () => {
    const handles = new Handles();
    handles.read(created('H:host:1234566'), 'a:1');
    const read = handles.read(created('H:host:1234567'), 'a:1');
    assert.equal(new Map([[read, 1]]).get('H:host:1234567'), 1);
    assert.equal(JSON.stringify(read), '"H:host:1234567"');
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
    known.read(created('x//y'), 'a:1');
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
