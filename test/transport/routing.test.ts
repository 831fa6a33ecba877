/** Which server a job goes to. The scores are published in docs/routing.md and never change. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { v1 } from 'uuid';
import { hashName, routerFor, type RoutedJob, type RoutedServer, type Routing } from '../../src/transport/routing.js';

const serversOf = (...names: string[]): RoutedServer[] => names.map((name) => ({ name, nameHash: hashName(name) }));
const job = (unique: string, workload: string | Uint8Array = 'w'): RoutedJob => ({ function: 'f', unique, workload });

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

describe("'by-unique'", () => {
  const uniques = {
    UUIDs: () => v1(),
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

  it('moves only the jobs of a server that leaves, evenly', () => {
    const [before, after] = [serversOf('a:1', 'b:1', 'c:1'), serversOf('a:1', 'c:1')];
    for (let index = 0; index < 500; index++) {
      const ranked = rank('by-unique', job(`${index}`), before);
      assert.deepEqual(
        rank('by-unique', job(`${index}`), after),
        ranked.filter((name) => name !== 'b:1'),
      );
    }
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

  it('what is no routing is refused, as is a function that returns no array', () => {
    assert.throws(() => routerFor('random'), { code: 'GEARMAN_INVALID_ARGUMENT' });
    assert.throws(() => rank((() => 'a:1') as never, job('u'), servers), { code: 'GEARMAN_INVALID_ARGUMENT' });
  });
});
