import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PRIORITY, type Job, type Listener } from '../../src/server/job.js';
import { Queue, type JobState, type QueueSettings, type Submission } from '../../src/server/queue.js';
import { Worker } from '../../src/server/worker.js';

/** A queue whose time the test moves, and what it has told. */
class Bench {
  nowMs = 0;
  readonly told: string[] = [];
  readonly queue: Queue;

  constructor(settings: Partial<QueueSettings> = {}) {
    this.queue = new Queue(
      { now: () => this.nowMs, wallClock: () => 1_000_000_000_000 + this.nowMs },
      { jobRetries: Infinity, roundRobin: false, ...settings },
      {
        onState: (job: Job, state: JobState) => this.told.push(`${job.number} ${state}`),
        onGivenUp: (job: Job) => this.told.push(`${job.number} given up`),
      },
    );
  }

  /** Seconds since 1970. */
  get epoch(): number {
    return 1_000_000_000 + this.nowMs / 1000;
  }

  submit(functionName: string, more: Partial<Submission> = {}): Job {
    const common = { unique: '', workload: '', priority: PRIORITY.normal, reducer: '', epoch: 0, listener: undefined };
    return this.queue.submit({ functionName, ...common, ...more }) ?? assert.fail('the queue is full');
  }

  worker(...functions: string[]): Worker & { noops: number } {
    const worker = Object.assign(new Worker(() => worker.noops++), { noops: 0 });
    for (const name of functions) worker.canDo({ fn: this.queue.functionNamed(name), timeoutMs: 0 });
    return worker;
  }

  /** The numbers of the jobs that a worker gets until there is none. */
  grabAll(worker: Worker): number[] {
    const numbers = [];
    for (let job = this.queue.grab(worker); job !== undefined; job = this.queue.grab(worker)) numbers.push(job.number);
    return numbers;
  }
}

const listener = (): Listener => ({
  waitsFor: new Set(),
  hasExceptions: false,
  send: () => {},
});

describe('Queue: order', () => {
  it('serves high before normal before low, over all functions of a worker', () => {
    const bench = new Bench();
    for (const priority of [PRIORITY.low, PRIORITY.normal, PRIORITY.high]) {
      bench.submit('a', { priority });
      bench.submit('b', { priority });
    }
    assert.deepEqual(bench.grabAll(bench.worker('a', 'b')), [6, 5, 4, 3, 2, 1]);
  });

  it('prefers the function that was registered last, unless they take turns', () => {
    for (const [roundRobin, expected] of [
      [false, [3, 4, 1, 2]],
      [true, [3, 1, 4, 2]],
    ] as const) {
      const bench = new Bench({ roundRobin });
      for (const name of ['a', 'a', 'b', 'b']) bench.submit(name);
      assert.deepEqual(bench.grabAll(bench.worker('a', 'b')), expected);
    }
  });

  it('puts jobs that a worker loses at the tail, the latest first', () => {
    const bench = new Bench();
    for (let i = 0; i < 4; i++) bench.submit('a');
    const worker = bench.worker('a');
    for (let i = 0; i < 3; i++) bench.queue.grab(worker);
    bench.queue.takeAway(worker);
    assert.deepEqual(bench.grabAll(bench.worker('a')), [4, 3, 2, 1]);
  });

  it('takes away the jobs of one function alone', () => {
    const bench = new Bench();
    const jobs = [bench.submit('a'), bench.submit('b')] as const;
    const worker = bench.worker('a', 'b');
    bench.grabAll(worker);
    bench.queue.takeAway(worker, jobs[0].fn);
    assert.deepEqual([...worker.running], [jobs[1]]);
    assert.deepEqual([jobs[0].fn.running, jobs[1].fn.running], [0, 1]);
  });
});

describe('Queue: coalescing', () => {
  it('makes one job of submissions with a unique ID, queued or running', () => {
    const bench = new Bench();
    const job = bench.submit('a', { unique: 'u' });
    assert.equal(bench.submit('a', { unique: 'u', priority: PRIORITY.high }), job);
    assert.notEqual(bench.submit('b', { unique: 'u' }), job);
    bench.queue.grab(bench.worker('a'));
    assert.equal(bench.submit('a', { unique: 'u' }), job);
    bench.queue.end(job);
    assert.notEqual(bench.submit('a', { unique: 'u' }), job);
  });

  it("coalesces '-' by workload, of whatever length, but not without one", () => {
    const bench = new Bench();
    for (const workload of ['w', 'w'.repeat(300), Buffer.alloc(5000, 1)]) {
      const job = bench.submit('a', { unique: '-', workload });
      assert.equal(
        bench.submit('a', { unique: '-', workload: Buffer.isBuffer(workload) ? Buffer.from(workload) : workload }),
        job,
      );
      assert.notEqual(bench.submit('b', { unique: '-', workload }), job);
      assert.notEqual(bench.submit('a', { unique: '-', workload: Buffer.alloc(workload.length, 2) }), job);
    }
    assert.notEqual(bench.submit('a', { unique: '-' }), bench.submit('a', { unique: '-' }));
    assert.equal(bench.queue.findUnique('-'), undefined);
  });

  it('does not join a cancelled job', () => {
    const bench = new Bench();
    const job = bench.submit('a', { unique: 'u' });
    bench.queue.cancel(job);
    const next = bench.submit('a', { unique: 'u' });
    assert.notEqual(next, job);
    assert.equal(bench.queue.findUnique('u'), next);
    assert.deepEqual(bench.grabAll(bench.worker('a')), [next.number]);
    assert.equal(bench.queue.findUnique('u'), next);
  });
});

describe('Queue: listeners', () => {
  it('drops a job when the last of them leaves before it starts', () => {
    const bench = new Bench();
    const [one, other] = [listener(), listener()];
    const job = bench.submit('a', { unique: 'u', listener: one });
    bench.submit('a', { unique: 'u', listener: other });
    bench.submit('a', { unique: 'u', listener: other });
    assert.equal(job.waitingClients, 3);
    bench.queue.leave(other);
    assert.deepEqual(bench.told, ['1 queued']);
    bench.queue.leave(one);
    assert.deepEqual(bench.told, ['1 queued', '1 done']);
    assert.deepEqual(bench.grabAll(bench.worker('a')), []);
    assert.deepEqual([job.fn.total, bench.queue.jobs.size], [0, 0]);
    assert.deepEqual(bench.told, ['1 queued', '1 done']);
  });

  it('keeps one that was also submitted in the background', () => {
    const bench = new Bench();
    const one = listener();
    bench.submit('a', { unique: 'u', listener: one });
    bench.submit('a', { unique: 'u' });
    bench.queue.leave(one);
    assert.deepEqual(bench.grabAll(bench.worker('a')), [1]);
  });

  it('revives a dropped job when somebody submits it again', () => {
    const bench = new Bench();
    const one = listener();
    const job = bench.submit('a', { unique: 'u', listener: one });
    bench.queue.leave(one);
    assert.equal(bench.submit('a', { unique: 'u' }), job);
    assert.deepEqual(bench.told, ['1 queued', '1 done', '1 queued']);
    assert.deepEqual(bench.grabAll(bench.worker('a')), [1]);
  });

  it('lets a running job go on, but not again', () => {
    const bench = new Bench();
    const one = listener();
    const job = bench.submit('a', { listener: one });
    const worker = bench.worker('a');
    bench.queue.grab(worker);
    bench.queue.leave(one);
    assert.equal(job.holder, worker);
    bench.queue.takeAway(worker);
    assert.deepEqual(bench.told, ['1 queued', '1 running', '1 done']);
    assert.equal(bench.queue.grab(worker), undefined);
    assert.equal(bench.queue.jobs.size, 0);
    assert.deepEqual(bench.told, ['1 queued', '1 running', '1 done']);
  });

  it('forgets a job that has ended', () => {
    const bench = new Bench();
    const one = listener();
    const job = bench.submit('a', { listener: one });
    bench.queue.end(job);
    assert.equal(one.waitsFor.size, 0);
  });
});

describe('Queue: workers that sleep', () => {
  it('wakes each once, and no other', () => {
    const bench = new Bench();
    const [a, b] = [bench.worker('a', 'x'), bench.worker('b')];
    a.sleep();
    b.sleep();
    bench.submit('a');
    bench.submit('x');
    assert.deepEqual([a.noops, b.noops], [1, 0]);
    a.sleep();
    bench.submit('a');
    assert.equal(a.noops, 1);
    bench.grabAll(a);
    a.sleep();
    bench.submit('a');
    assert.equal(a.noops, 2);
  });

  it('wakes one for a function that it registered in its sleep, and not for one that it does no longer', () => {
    const bench = new Bench();
    const worker = bench.worker('a');
    worker.sleep();
    worker.canDo({ fn: bench.queue.functionNamed('b'), timeoutMs: 0 });
    worker.cantDo(bench.queue.functionNamed('a'));
    bench.submit('a');
    assert.equal(worker.noops, 0);
    bench.submit('b');
    assert.equal(worker.noops, 1);
  });

  it('counts a function that is registered twice twice', () => {
    const bench = new Bench();
    const worker = bench.worker('a', 'b', 'a');
    const fn = bench.queue.functionNamed('a');
    assert.equal(fn.workers, 2);
    worker.cantDo(fn);
    assert.deepEqual([fn.workers, worker.abilities.length], [0, 1]);
    worker.cantDo();
    assert.equal(worker.abilities.length, 0);
  });
});

describe('Queue: time', () => {
  it('holds a job back until its epoch, when it stands where it was submitted', () => {
    const bench = new Bench();
    const worker = bench.worker('a');
    bench.submit('a', { epoch: bench.epoch + 2 });
    bench.submit('a', { epoch: bench.epoch });
    assert.deepEqual(bench.grabAll(worker), [2]);
    assert.equal(bench.queue.functionNamed('a').queued(PRIORITY.normal), 1);
    worker.sleep();
    assert.equal(bench.queue.dueInMs, 2000);
    bench.submit('a');
    bench.nowMs = 2000;
    bench.queue.onDue();
    assert.equal(worker.noops, 1);
    assert.equal(bench.queue.functionNamed('a').queued(PRIORITY.normal), 2);
    assert.deepEqual(bench.grabAll(worker), [1, 3]);
    assert.equal(bench.queue.dueInMs, undefined);
  });

  it('wakes workers when an epoch comes', () => {
    const bench = new Bench();
    bench.submit('a', { epoch: bench.epoch + 1 });
    const worker = bench.worker('a');
    assert.equal(bench.queue.hasJobFor(worker), false);
    worker.sleep();
    bench.nowMs = 999;
    bench.queue.onDue();
    assert.equal(worker.noops, 0);
    bench.nowMs = 1000;
    bench.queue.onDue();
    assert.equal(worker.noops, 1);
    assert.equal(bench.queue.hasJobFor(worker), true);
  });

  it('serves a due job even where nobody has looked at the time', () => {
    const bench = new Bench();
    bench.submit('a', { epoch: bench.epoch + 1 });
    bench.nowMs = 1500;
    assert.deepEqual(bench.grabAll(bench.worker('a')), [1]);
  });

  it('takes a job away from a worker that is too slow, but not one that has ended', () => {
    const bench = new Bench();
    const [slow, quick] = [bench.submit('a'), bench.submit('a')];
    const worker = bench.worker();
    worker.canDo({ fn: slow.fn, timeoutMs: 1000 });
    bench.grabAll(worker);
    bench.queue.end(quick);
    bench.nowMs = 999;
    bench.queue.onDue();
    assert.equal(slow.holder, worker);
    assert.equal(bench.queue.dueInMs, 1);
    bench.nowMs = 1000;
    bench.queue.onDue();
    assert.deepEqual([slow.holder, slow.retries, worker.running.size], [undefined, 1, 0]);
    assert.equal(bench.queue.dueInMs, undefined);
  });
});

describe('Queue: limits', () => {
  it('refuses a job over the limit of its priority, but not one that is known', () => {
    const bench = new Bench();
    const job = bench.submit('a', { unique: 'u' });
    job.fn.limits = [0, 1, 5];
    const more = { functionName: 'a', workload: '', reducer: '', epoch: 0, listener: undefined };
    assert.equal(bench.queue.submit({ ...more, unique: 'v', priority: PRIORITY.normal }), undefined);
    assert.equal(bench.queue.submit({ ...more, unique: 'u', priority: PRIORITY.normal }), job);
    assert.ok(bench.queue.submit({ ...more, unique: 'v', priority: PRIORITY.low }), 'low has room');
    assert.ok(bench.queue.submit({ ...more, unique: 'w', priority: PRIORITY.high }), 'high has no limit');
  });

  it('gives a job up after so many workers', () => {
    const bench = new Bench({ jobRetries: 2 });
    bench.submit('a');
    for (let i = 0; i < 2; i++) {
      const worker = bench.worker('a');
      bench.queue.grab(worker);
      bench.queue.takeAway(worker);
    }
    assert.deepEqual(bench.told.slice(-2), ['1 done', '1 given up']);
    assert.equal(bench.queue.jobs.size, 0);
  });

  it('drops a function with all its jobs', () => {
    const bench = new Bench();
    bench.submit('a');
    bench.submit('a', { epoch: bench.epoch + 5 });
    bench.submit('b');
    bench.queue.drop(bench.queue.functionNamed('a'));
    assert.deepEqual(
      Array.from(bench.queue.jobs, (job) => job.number),
      [3],
    );
    assert.equal(bench.queue.dueInMs, undefined);
    assert.equal(bench.queue.findFunction('a'), undefined);
  });
});

/** A queue as simple as can be: all jobs in one array, searched. */
class Naive {
  jobs: { number: number; fn: string; unique: string; priority: number; place: number; worker: number | undefined }[] =
    [];
  #last = 0;
  #place = 0;

  submit(fn: string, unique: string, priority: number): number {
    const known = this.jobs.find((job) => unique !== '' && job.fn === fn && job.unique === unique);
    if (known !== undefined) return known.number;
    this.jobs.push({ number: ++this.#last, fn, unique, priority, place: ++this.#place, worker: undefined });
    return this.#last;
  }

  grab(worker: number, functions: readonly string[]): number | undefined {
    const rank = (job: (typeof this.jobs)[number]): number[] => [job.priority, functions.indexOf(job.fn), job.place];
    const waiting = this.jobs.filter((job) => job.worker === undefined && functions.includes(job.fn));
    const [first] = waiting.sort((a, b) => compare(rank(a), rank(b)));
    if (first !== undefined) first.worker = worker;
    return first?.number;
  }

  end(number: number): void {
    this.jobs = this.jobs.filter((job) => job.number !== number);
  }

  leave(worker: number, latestFirst: readonly number[]): void {
    for (const number of latestFirst) {
      const job = this.jobs.find((each) => each.number === number && each.worker === worker);
      if (job !== undefined) Object.assign(job, { worker: undefined, place: ++this.#place });
    }
  }
}

function compare(a: readonly number[], b: readonly number[]): number {
  const different = a.findIndex((each, index) => each !== b[index]);
  return different === -1 ? 0 : (a[different] ?? 0) - (b[different] ?? 0);
}

describe('Queue: against a naive model', () => {
  const names = ['a', 'b', 'c'];
  const action = fc.oneof(
    fc.record({
      kind: fc.constant('submit' as const),
      fn: fc.constantFrom(...names),
      unique: fc.constantFrom('', '', 'u', 'v'),
      priority: fc.constantFrom(0 as const, 1 as const, 2 as const),
    }),
    fc.record({ kind: fc.constant('grab' as const), worker: fc.nat(2) }),
    fc.record({ kind: fc.constant('end' as const), worker: fc.nat(2) }),
    fc.record({ kind: fc.constant('leave' as const), worker: fc.nat(2) }),
  );

  it('does the same', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const [bench, naive] = [new Bench(), new Naive()];
        const skills = [names, ['b'], ['c', 'a']];
        const workers = skills.map((each) => bench.worker(...each.toReversed()));
        for (const each of actions) {
          if (each.kind === 'submit') {
            const { fn, unique, priority } = each;
            assert.equal(bench.submit(fn, { unique, priority }).number, naive.submit(fn, unique, priority));
            continue;
          }
          const worker = workers[each.worker] ?? assert.fail();
          const running = [...worker.running];
          if (each.kind === 'grab') {
            assert.equal(bench.queue.grab(worker)?.number, naive.grab(each.worker, skills[each.worker] ?? []));
          } else if (each.kind === 'end' && running[0] !== undefined) {
            naive.end(running[0].number);
            bench.queue.end(running[0]);
          } else if (each.kind === 'leave') {
            naive.leave(each.worker, running.map(({ number }) => number).reverse());
            bench.queue.takeAway(worker);
          }
        }
        assert.deepEqual(
          Array.from(bench.queue.jobs, ({ number }) => number),
          naive.jobs.map(({ number }) => number),
        );
        for (const name of names) {
          const own = naive.jobs.filter((job) => job.fn === name);
          const fn = bench.queue.functionNamed(name);
          assert.equal(fn.total, own.length);
          assert.equal(fn.running, own.filter((job) => job.worker !== undefined).length);
          for (const priority of [0, 1, 2] as const) {
            const queued = own.filter((job) => job.worker === undefined && job.priority === priority);
            assert.equal(fn.queued(priority), queued.length);
          }
        }
      }),
    );
  });
});
