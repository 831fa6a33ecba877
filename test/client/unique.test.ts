/** Unique IDs and job handles: made once, remembered long enough. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { validate, version } from 'uuid';
import { Handles, idOf } from '../../src/client/handles.js';
import { UniqueIds, uniqueFor } from '../../src/client/unique.js';
import { nodeRuntime } from '../../src/runtime.js';

const root = new URL('../..', import.meta.url);

/** The time in a UUIDv1, in milliseconds since 1970. */
function timeOf(uuid: string): number {
  const [low = '', middle = '', high = ''] = uuid.split('-');
  return Number(BigInt(`0x${high.slice(1)}${middle}${low}`) / 10_000n) - 12_219_292_800_000;
}

describe('generated unique IDs', () => {
  it('are UUIDs of version 1 with the time of the system', () => {
    const ids = new UniqueIds(nodeRuntime);
    const before = Date.now();
    for (let count = 0; count < 100; count++) {
      const id = ids.next();
      assert.ok(validate(id));
      assert.equal(version(id), 1);
      assert.ok(Math.abs(timeOf(id) - before) < 10_000);
    }
  });

  it('are a million different ones in one process', () => {
    const ids = new UniqueIds(nodeRuntime);
    const made = new Set<string>();
    for (let count = 0; count < 1_000_000; count++) made.add(ids.next());
    assert.equal(made.size, 1_000_000);
  });

  it('are different in four processes with 250,000 each', async () => {
    const args = ['--import', 'tsx', 'test/support/unique-ids.ts', '250000'];
    const options = { cwd: root, encoding: 'latin1', maxBuffer: 1e9 } as const;
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, args, options)),
    );
    const made = new Set<string>();
    for (const { stdout } of outputs) {
      assert.equal(stdout.length, 250_000 * 16);
      for (let offset = 0; offset < stdout.length; offset += 16) made.add(stdout.slice(offset, offset + 16));
    }
    assert.equal(made.size, 1_000_000);
  });

  it('differ when the clock stands still, is set back, or 10,000 are made in a millisecond', () => {
    for (const step of [0, -1]) {
      let now = 1_700_000_000_000;
      const ids = new UniqueIds({ ...nodeRuntime, wallClock: () => (now += step) });
      const made = new Set(Array.from({ length: 30_000 }, () => ids.next()));
      assert.equal(made.size, 30_000);
    }
  });

  it('of two clients differ at the same time', () => {
    const world = { ...nodeRuntime, wallClock: () => 1_700_000_000_000 };
    assert.notEqual(new UniqueIds(world).next(), new UniqueIds(world).next());
  });
});

describe('uniqueFor', () => {
  it('is the SHA-256 of the workload in base64url, 43 bytes', () => {
    assert.equal(uniqueFor(''), '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU');
    assert.equal(uniqueFor('größe'), uniqueFor(Buffer.from('größe')));
    assert.equal(uniqueFor(Buffer.alloc(1_000_000)).length, 43);
  });

  it('takes what a workload may be', () => {
    assert.throws(() => uniqueFor({} as never), { code: 'GEARMAN_INVALID_ARGUMENT' });
  });
});

describe('handles', () => {
  it('are remembered with every server that issued them', () => {
    const handles = new Handles();
    for (const server of ['a:1', 'a:1', 'b:1', 'a:1', 'c:1']) handles.remember('H:1', server);
    assert.deepEqual(handles.serversOf('H:1'), ['a:1', 'b:1', 'c:1']);
    assert.deepEqual(handles.serversOf('H:2'), []);
  });

  it('are forgotten after 65,536 others at the earliest and twice as many at the latest', () => {
    const handles = new Handles();
    for (let count = 0; count < 65_536 + 1; count++) handles.remember(`H:${count}`, 'a:1');
    assert.deepEqual(handles.serversOf('H:0'), ['a:1']);
    for (let count = 0; count < 65_536; count++) handles.remember(`I:${count}`, 'a:1');
    assert.deepEqual(handles.serversOf('H:0'), []);
    assert.deepEqual(handles.serversOf('I:0'), ['a:1']);
  });

  it('may come as an id', () => {
    const handles = new Handles();
    assert.deepEqual(handles.locate(idOf('a:1', 'H:1')), { handle: 'H:1', server: 'a:1' });
    assert.deepEqual(handles.locate('H:1'), { handle: 'H:1', server: undefined });
    handles.remember('x//y', 'a:1');
    assert.deepEqual(handles.locate('x//y'), { handle: 'x//y', server: undefined });
  });
});
