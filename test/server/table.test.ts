import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
  const [f, g, h] = [new JobFunction('f'), new JobFunction('g'), new JobFunction('h')];

  it('tells functions apart that share a key, and knows the latest', () => {
    const index = new JobIndex(({ unique }) => unique);
    const jobs = [job(1, f, 'u'), job(2, g, 'u'), job(3, h, 'u'), job(4, f, 'v')];
    for (const each of jobs) index.add(each);
    assert.equal(index.find('u', f), jobs[0]);
    assert.equal(index.find('u', g), jobs[1]);
    assert.equal(index.find('u'), jobs[2]);
    assert.equal(index.find('v', g), undefined);
    assert.equal(index.find('w'), undefined);
  });

  it('deletes from anywhere in the chain of a key', () => {
    for (const gone of [0, 1, 2]) {
      const index = new JobIndex(({ unique }) => unique);
      const jobs = [job(1, f, 'u'), job(2, g, 'u'), job(3, h, 'u')] as const;
      for (const each of jobs) index.add(each);
      for (const each of [jobs[gone], jobs[gone]]) if (each !== undefined) index.delete(each);
      for (const [position, fn] of [f, g, h].entries()) {
        assert.equal(index.find('u', fn), position === gone ? undefined : jobs[position]);
      }
    }
  });
});
