import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Job, JobFunction, PRIORITY } from '../../src/server/job.js';
import { JobIndex, JobTable } from '../../src/server/table.js';

const job = (number: number, fn = new JobFunction('fn'), unique = ''): Job =>
  new Job(number, { fn, unique, workload: '', priority: PRIORITY.normal, reducer: '' });

describe('JobTable', () => {
  it('finds jobs by number, and lists them by number', () => {
    const table = new JobTable();
    const jobs = [1, 2, 1023, 1024, 5000].map((number) => job(number));
    for (const each of jobs) table.add(each);
    assert.equal(table.size, 5);
    assert.deepEqual([...table], jobs);
    assert.equal(table.get(1023), jobs[2]);
    assert.equal(table.get(3), undefined);
    assert.equal(table.get(1_000_000), undefined);
  });

  it('forgets what is deleted, once', () => {
    const table = new JobTable();
    const [one, other] = [job(7), job(7)];
    table.add(one);
    table.delete(other);
    assert.equal(table.get(7), one);
    table.delete(one);
    table.delete(one);
    assert.equal(table.size, 0);
    assert.deepEqual([...table], []);
  });
});

describe('JobIndex', () => {
  const functions = [new JobFunction('f'), new JobFunction('g')];

  it('finds the latest job with a key, of a function or of any, whatever was deleted', () => {
    const action = fc.record({
      unique: fc.integer({ min: 0, max: 60 }).map(String),
      fn: fc.constantFrom(...functions),
      deletes: fc.option(fc.nat(), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
        const table = new JobTable();
        const index = new JobIndex(table, ({ unique }) => unique);
        const model: Job[] = [];
        for (const [position, { unique, fn, deletes }] of actions.entries()) {
          const added = job(position + 1, fn, unique);
          table.add(added);
          index.add(added);
          model.push(added);
          const deleted = deletes === undefined ? undefined : model.splice(deletes % model.length, 1)[0];
          if (deleted === undefined) continue;
          for (let times = 0; times < 2; times++) index.delete(deleted);
          table.delete(deleted);
        }
        for (let key = 0; key <= 60; key++) {
          const own = model.filter(({ unique }) => unique === String(key));
          assert.equal(index.find(String(key)), own.at(-1));
          for (const fn of functions) {
            assert.equal(
              index.find(String(key), fn),
              own.findLast((each) => each.fn === fn),
            );
          }
        }
      }),
    );
  });
});
