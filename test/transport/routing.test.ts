/** Which server a job goes to. The scores are published in docs/routing.md and never change. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { v1 } from 'uuid';
import {
  hashJob,
  hashName,
  rendezvousScore,
  routerFor,
  type RoutedJob,
  type RoutedServer,
  type Routing,
} from '../../src/transport/routing.js';

const serversOf = (...names: string[]): RoutedServer[] => names.map((name) => ({ name, nameHash: hashName(name) }));
const job = (unique: string, workload: string | Uint8Array = 'w'): RoutedJob => ({ function: 'f', unique, workload });

/** As a client makes them, one after the other. */
function uuid(index: number): string {
  const node = Uint8Array.of(0xb3, 0x4c, 0x1a, 0x90, 0xde, 0x57);
  return v1({ msecs: 1_700_000_000_000 + index, nsecs: index % 10_000, clockseq: 0x2c9a, node });
}

/** The names in order of preference. */
function rank(
  routing: Routing,
  each: RoutedJob,
  servers: readonly RoutedServer[],
  router = routerFor(routing),
): string[] {
  const ranking = router(each, servers);
  const scores = servers.map((server, position) => ({ name: server.name, score: ranking(server, position) }));
  return scores.sort((a, b) => b.score - a.score).map(({ name }) => name);
}

describe('the published scores', () => {
  const vectors: readonly [
    name: string,
    unique: string,
    server: string,
    jobHash: number,
    nameHash: number,
    score: number,
  ][] = [
    ['reverse', 'picture-17', '127.0.0.1:4730', 0xf55c488c, 0x9d7d1fb1, 0x9528dcc3],
    ['reverse', 'picture-17', '[::1]:4730', 0xf55c488c, 0xe45b861e, 0x07790b42],
    ['reverse', 'picture-17', 'gamma', 0xf55c488c, 0x7d8b9b1a, 0xf1d95e49],
    ['reverse', 'picture-18', '127.0.0.1:4730', 0xd6e12499, 0x9d7d1fb1, 0x4f4805d1],
    ['reverse', 'picture-18', '[::1]:4730', 0xd6e12499, 0xe45b861e, 0x35cc7608],
    ['reverse', 'picture-18', 'gamma', 0xd6e12499, 0x7d8b9b1a, 0x69137928],
    ['größe', 'zoë', '127.0.0.1:4730', 0xe5c15620, 0x9d7d1fb1, 0x23e43d37],
    ['größe', 'zoë', '[::1]:4730', 0xe5c15620, 0xe45b861e, 0xa4100524],
    ['größe', 'zoë', 'gamma', 0xe5c15620, 0x7d8b9b1a, 0xcf59a829],
  ];
  for (const [name, unique, server, jobHash, nameHash, score] of vectors) {
    it(`say that ${server} has ${score} for ${name} and ${unique}`, () => {
      assert.deepEqual([hashJob(name, unique), hashName(server)], [jobHash, nameHash]);
      assert.equal(rendezvousScore(jobHash, nameHash), score);
      const each = { function: name, unique, workload: '' };
      const [only] = serversOf(server);
      assert.ok(only !== undefined);
      assert.equal(routerFor('by-unique')(each, [only])(only, 0), score);
    });
  }

  for (const [name, unique, server, , , score] of vectors) {
    it(`say the same of ${server}, ${name} and '-' where the workload is ${unique}, be it text or bytes`, () => {
      const [only] = serversOf(server);
      assert.ok(only !== undefined, 'there is a server');
      for (const workload of [unique, Buffer.from(unique), new Uint8Array(Buffer.from(unique))]) {
        assert.equal(routerFor('by-unique')({ function: name, unique: '-', workload }, [only])(only, 0), score);
      }
    });
  }

  it('are what the description says, written out slowly', () => {
    const mod = (value: bigint): bigint => value & 0xffff_ffffn;
    const fnv1a = (bytes: Uint8Array): bigint => {
      let hash = 0x811c9dc5n;
      for (const byte of bytes) hash = mod((hash ^ BigInt(byte)) * 0x01000193n);
      return hash;
    };
    const mix = (hash: bigint): bigint => {
      const second = mod((hash ^ (hash >> 16n)) * 0x85ebca6bn);
      const third = mod((second ^ (second >> 13n)) * 0xc2b2ae35n);
      return third ^ (third >> 16n);
    };
    const text = fc.string({ unit: 'grapheme' });
    fc.assert(
      fc.property(text, fc.oneof(text, fc.uint8Array()), text, (name, key, server) => {
        const bytes = typeof key === 'string' ? Buffer.from(key) : key;
        const jobHash = mix(fnv1a(Buffer.concat([Buffer.from(name), Buffer.of(0), bytes])));
        const nameHash = mix(fnv1a(Buffer.from(server)));
        assert.deepEqual([hashJob(name, key), hashName(server)], [Number(jobHash), Number(nameHash)]);
        assert.equal(rendezvousScore(hashJob(name, key), hashName(server)), Number(mix(jobHash ^ nameHash)));
      }),
    );
  });
});

describe("'by-unique'", () => {
  const uniques = {
    UUIDs: uuid,
    'sequential IDs': (index: number) => `order-${index}`,
    'IDs that differ in front': (index: number) => `${index}-order`,
  };
  for (const [what, make] of Object.entries(uniques)) {
    for (const names of [
      ['a:4730', 'b:4730'],
      ['10.0.0.1:4730', '10.0.0.2:4730', '10.0.0.3:4730'],
      ['a:1', 'a:2', 'a:3', 'a:4', 'a:5'],
    ]) {
      it(`spreads ${what} evenly over ${names.length} servers`, () => {
        const servers = serversOf(...names);
        const counts = new Map<string, number>();
        const total = 60_000;
        for (let index = 0; index < total; index++) {
          const [first = ''] = rank('by-unique', job(make(index)), servers);
          counts.set(first, (counts.get(first) ?? 0) + 1);
        }
        for (const count of counts.values()) assert.ok(Math.abs(count / total - 1 / names.length) < 0.01, `${count}`);
        assert.equal(counts.size, names.length);
      });
    }
  }

  it('does not depend on the order of the list', () => {
    for (let index = 0; index < 200; index++) {
      const [ab, ba] = [serversOf('a:1', 'b:1', 'c:1'), serversOf('c:1', 'b:1', 'a:1')];
      assert.deepEqual(rank('by-unique', job(`${index}`), ab), rank('by-unique', job(`${index}`), ba));
    }
  });

  it('moves only the jobs of a server that leaves, and those evenly', () => {
    const [before, after] = [serversOf('a:1', 'b:1', 'c:1'), serversOf('a:1', 'c:1')];
    const moved = new Map<string, number>();
    for (let index = 0; index < 30_000; index++) {
      const ranked = rank('by-unique', job(`${index}`), before);
      const rankedAfter = rank('by-unique', job(`${index}`), after);
      assert.deepEqual(
        rankedAfter,
        ranked.filter((name) => name !== 'b:1'),
      );
      const [to = ''] = rankedAfter;
      if (ranked[0] === 'b:1') moved.set(to, (moved.get(to) ?? 0) + 1);
    }
    const [a = 0, c = 0] = [moved.get('a:1'), moved.get('c:1')];
    assert.ok(Math.abs(a + c - 10_000) < 600, `${a + c} moved`);
    assert.ok(Math.abs(a / (a + c) - 0.5) < 0.02, `${a} and ${c}`);
  });

  it('moves to a server that comes only what that ranks first', () => {
    const [before, after] = [serversOf('a:1', 'b:1'), serversOf('c:1', 'a:1', 'b:1')];
    for (let index = 0; index < 500; index++) {
      const [first] = rank('by-unique', job(`${index}`), before);
      const [firstAfter] = rank('by-unique', job(`${index}`), after);
      assert.ok(firstAfter === 'c:1' || firstAfter === first);
    }
  });

  it('does not look at the workload of a job that has a unique ID', () => {
    const servers = serversOf('a:1', 'b:1', 'c:1');
    assert.deepEqual(
      Array.from({ length: 20 }, (_, index) => rank('by-unique', job('u', `${index}`), servers)[0]),
      Array.from({ length: 20 }, () => rank('by-unique', job('u'), servers)[0]),
    );
  });

  it("goes by the workload, whether string or bytes, for '-'", () => {
    const servers = serversOf('a:1', 'b:1', 'c:1');
    const firsts = new Set<string | undefined>();
    for (let index = 0; index < 50; index++) {
      const ranked = rank('by-unique', job('-', `w${index}`), servers);
      assert.deepEqual(rank('by-unique', job('-', Buffer.from(`w${index}`)), servers), ranked);
      firsts.add(ranked[0]);
    }
    assert.equal(firsts.size, 3);
  });

  it("looks at each byte of the workload once for '-', however often the job is routed", () => {
    const servers = serversOf('a:1', 'b:1', 'c:1');
    const bytes = Buffer.alloc(1000, 'x');
    let reads = 0;
    const workload = new Proxy(bytes, {
      get: (target, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
        const value: unknown = Reflect.get(target, key, target);
        return value;
      },
    });
    const each = job('-', workload);
    const router = routerFor('by-unique');
    const expected = rank('by-unique', job('-', bytes), servers);
    for (let count = 0; count < 5; count++) {
      assert.deepEqual(
        rank('by-unique', each, servers.slice(count % 2), router)[0],
        expected.find((name) => count % 2 === 0 || name !== 'a:1'),
      );
    }
    assert.equal(reads, 1000);
  });

  it('tells functions apart', () => {
    const servers = serversOf('a:1', 'b:1');
    const firstOf = (name: string): string | undefined =>
      rank('by-unique', { ...job('u'), function: name }, servers)[0];
    assert.equal(new Set(Array.from({ length: 30 }, (_, index) => firstOf(`f${index}`))).size, 2);
  });
});

describe('the other routings', () => {
  const servers = serversOf('a:1', 'b:1', 'c:1');

  it("'in-order' keeps the order of the list", () => {
    assert.deepEqual(rank('in-order', job('u'), servers), ['a:1', 'b:1', 'c:1']);
  });

  it("'round-robin' begins one further each time", () => {
    const router = routerFor('round-robin');
    const order = Array.from({ length: 4 }, () => rank('round-robin', job('u'), servers, router).join());
    assert.deepEqual(order, ['a:1,b:1,c:1', 'b:1,c:1,a:1', 'c:1,a:1,b:1', 'a:1,b:1,c:1']);
  });

  it('a function says the order, and those that it leaves out come last', () => {
    const route: Routing = ({ unique }, names) => (unique === 'u' ? ['c:1', 'b:1', 'unknown'] : names);
    assert.deepEqual(rank(route, job('u'), servers), ['c:1', 'b:1', 'a:1']);
    assert.deepEqual(rank(route, job('v'), servers), ['a:1', 'b:1', 'c:1']);
  });

  it("'round-robin' goes on where it was when the list changes, and counts for each client", () => {
    const router = routerFor('round-robin');
    const first = (list: readonly RoutedServer[]): string | undefined => rank('round-robin', job('u'), list, router)[0];
    assert.deepEqual([first(servers), first(servers)], ['a:1', 'b:1']);
    assert.deepEqual([first(servers.slice(0, 2)), first(servers.slice(0, 2))], ['a:1', 'b:1']);
    assert.equal(rank('round-robin', job('u'), servers)[0], 'a:1', 'another client begins anew');
  });

  it('a function is told the function, the unique ID and the names, and nothing of the workload', () => {
    const told: unknown[] = [];
    const route: Routing = (each, names) => {
      told.push(each, names);
      return [];
    };
    assert.deepEqual(rank(route, job('u', 'secret'), servers), ['a:1', 'b:1', 'c:1']);
    assert.deepEqual(told, [{ function: 'f', unique: 'u' }, ['a:1', 'b:1', 'c:1']]);
  });

  it('a function may name a server twice: the first place counts', () => {
    assert.deepEqual(
      rank(() => ['b:1', 'a:1', 'b:1', 'c:1', 'a:1'], job('u'), servers),
      ['b:1', 'a:1', 'c:1'],
    );
  });

  it('a function that returns no array is refused, and what it throws goes on', () => {
    for (const result of ['a:1', undefined, new Set(['a:1']), Promise.resolve(['a:1'])]) {
      assert.throws(() => rank((() => result) as never, job('u'), servers), {
        code: 'GEARMAN_INVALID_ARGUMENT',
        message: 'The routing function must return an array of server names.',
      });
    }
    const throwing: Routing = () => {
      throw new RangeError('no idea');
    };
    assert.throws(() => rank(throwing, job('u'), servers), new RangeError('no idea'));
  });

  it('what is no routing is refused, with those that there are', () => {
    for (const routing of ['random', 'By-Unique', '', null, undefined, 7, {}]) {
      assert.throws(() => routerFor(routing), {
        code: 'GEARMAN_INVALID_ARGUMENT',
        message: "The option routing is 'by-unique', 'in-order', 'round-robin' or a function.",
      });
    }
  });
});
