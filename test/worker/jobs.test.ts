/** One job: what its handler sees, what it may say, and what the job server is told of how it ended. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GearmanArgumentError, type GearmanError } from '../../src/errors.js';
import { encode } from '../../src/protocol/encode.js';
import { TYPE } from '../../src/protocol/packet.js';
import { JobFailed, type Job } from '../../src/worker/job.js';
import type { JobResult } from '../../src/worker/lane.js';
import { isPending } from '../support/client.js';
import type { PeerConnection } from '../support/peer.js';
import { digested, jobAssignAll, jobAssignUniq, working } from '../support/worker.js';

const MIB = 1024 * 1024;
const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

function refuses(run: () => unknown, message: RegExp): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof GearmanArgumentError, String(error));
    assert.equal(error.code, 'GEARMAN_INVALID_ARGUMENT');
    assert.match(error.message, message);
    return true;
  });
}

/** What was said of jobs on a connection: name, arguments, and data as text where there is some. */
function said({ requests }: PeerConnection): string[] {
  const about = requests.filter(({ name }) => name.startsWith('WORK_'));
  return about.map(({ name, args, data }) => [name, ...args, ...(data.length > 0 ? [data.toString()] : [])].join(' '));
}

describe('a job', () => {
  it('tells its handler what the server says of it', async (t) => {
    const { peer, connection, hands } = await working(t, { prefix: 'p:' });
    connection.send(jobAssignUniq('H:host:1', 'p:f', '{"a":[1]}', 'unique'));
    const { job } = await hands.run(0);
    assert.equal(job.handle, 'H:host:1');
    assert.equal(job.function, 'f', 'without the prefix');
    assert.equal(job.unique, 'unique');
    assert.equal(job.server, peer.name);
    assert.equal(job.reducer, undefined);
    assert.ok(Buffer.isBuffer(job.workload), 'a Buffer');
    assert.equal(job.text(), '{"a":[1]}');
    assert.deepEqual(job.json(), { a: [1] });
    assert.ok(job.signal instanceof AbortSignal, 'a signal');
    assert.equal(job.signal.aborted, false);
  });

  for (const [what, workload] of [
    ['no byte', Buffer.alloc(0)],
    ['NULs', Buffer.from('\0a\0\0b\0')],
    ['all bytes', Buffer.from(indexes(256))],
    ['3 MiB', Buffer.alloc(3 * MIB, 'payload\0')],
  ] as const) {
    it(`has its workload exactly, be it ${what}`, async (t) => {
      const { connection, hands } = await working(t);
      connection.send(jobAssignUniq('H:1', 'f', workload, ''));
      const { job } = await hands.run(0);
      assert.ok(job.workload.equals(workload), 'the bytes that were sent');
      assert.equal(job.unique, '');
    });
  }

  it('has it also when it comes in pieces', async (t) => {
    const { connection, hands } = await working(t, { concurrency: 2 });
    await connection.drip(Buffer.concat([jobAssignUniq('H:1', 'f', 'first'), jobAssignUniq('H:2', 'f', 'second')]));
    assert.deepEqual([(await hands.run(0)).job.text(), (await hands.run(1)).job.text()], ['first', 'second']);
  });

  it('says which function reduces its results where it has one', async (t) => {
    const { connection, hands } = await working(t, { concurrency: 3 }, { reducer: true });
    connection.send(jobAssignAll('H:1', 'sum', 'f', 'w'), jobAssignAll('H:2', '', 'f'), jobAssignUniq('H:3'));
    await hands.run(2);
    assert.deepEqual(
      hands.runs.map(({ job }) => [job.reducer, job.unique]),
      [
        ['sum', 'u'],
        [undefined, 'u'],
        [undefined, 'u'],
      ],
    );
    assert.equal(hands.runs[0]?.job.text(), 'w');
  });

  it('has no unique ID from a server that does not tell it', async (t) => {
    const { connection, hands } = await working(t);
    connection.send(encode('RES', TYPE.JOB_ASSIGN, ['H:1', 'f'], 'w'));
    const { job } = await hands.run(0);
    assert.deepEqual([job.unique, job.text()], ['', 'w']);
  });

  it('whose workload is no JSON ends as an exception where JSON is asked for', async (t) => {
    const { connection } = await working(t, {}, { handler: (job) => String(job.json()) });
    connection.send(jobAssignUniq('H:1', 'f', '{'));
    const [request] = await connection.seen('WORK_EXCEPTION');
    assert.match(request?.data.toString() ?? '', /JSON/);
  });

  it('may be one of several on a connection, which end in any order', async (t) => {
    const { connection, hands } = await working(t, { concurrency: 3 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'), jobAssignUniq('H:3'));
    await hands.run(2);
    for (const index of [1, 2, 0]) hands.runs[index]?.end(`result ${index}`);
    await connection.seen('WORK_COMPLETE', 3);
    assert.deepEqual(said(connection), [
      ...['WORK_COMPLETE H:2 result 1', 'WORK_COMPLETE H:3 result 2', 'WORK_COMPLETE H:1 result 0'],
    ]);
  });
});

describe('what a handler returns', () => {
  const large = Buffer.alloc(2 * MIB, 'result\0');
  const results: readonly [what: string, result: JobResult, bytes: Buffer][] = [
    ['a string', 'grüße\0', Buffer.from('grüße\0')],
    ['an empty string', '', Buffer.alloc(0)],
    ['a Buffer', Buffer.from([0, 255, 0]), Buffer.from([0, 255, 0])],
    ['a part of an array', new Uint8Array([1, 2, 3, 4]).subarray(1, 3), Buffer.from([2, 3])],
    ['megabytes', large, large],
    ['nothing', undefined, Buffer.alloc(0)],
  ];
  for (const [what, result, bytes] of results) {
    for (const handler of [(): JobResult => result, (): Promise<JobResult> => Promise.resolve(result)]) {
      const how = handler() instanceof Promise ? 'later' : 'at once';
      it(`is the result of the job: ${what}, ${how}`, async (t) => {
        const { connection } = await working(t, {}, { handler });
        connection.send(jobAssignUniq('H:1'));
        const [request] = await connection.seen('WORK_COMPLETE');
        assert.deepEqual(request?.args, ['H:1']);
        assert.ok(request.data.equals(bytes), 'the bytes that were returned');
        await connection.seen('GRAB_JOB_UNIQ', 2);
        assert.deepEqual(connection.names.slice(3), ['WORK_COMPLETE', 'GRAB_JOB_UNIQ']);
      });
    }
  }

  for (const [kind, result] of [
    ['number', 7],
    ['boolean', false],
    ['null', null],
    ['an object', { ok: true }],
    ['an array', ['a']],
    ['an object', new ArrayBuffer(4)],
    ['an object', new DataView(new ArrayBuffer(4))],
    ['bigint', 1n],
  ] as const) {
    it(`is an exception when it is ${kind === 'an object' ? result.constructor.name : kind}`, async (t) => {
      const { worker, connection } = await working(t, {}, { handler: () => result as never });
      const failed = once(worker, 'job:error');
      connection.send(jobAssignUniq('H:1'));
      const [request] = await connection.seen('WORK_EXCEPTION');
      const message = request?.data.toString() ?? '';
      assert.match(message, new RegExp(`The result of f must be a string or a Uint8Array, not ${kind}\\. `));
      const [, error] = (await failed) as [Job, GearmanError];
      assert.deepEqual([error.code, error.message], ['GEARMAN_INVALID_ARGUMENT', message]);
    });
  }
});

describe('what a handler throws', () => {
  const thrown: readonly [what: string, value: unknown, text: string][] = [
    ['an Error', new TypeError('no such file: ü'), 'no such file: ü'],
    ['an Error that says nothing', new Error(), ''],
    ['a string', 'no', 'no'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an object', { code: 1 }, '[object Object]'],
    ['an object without a text', Object.create(null), 'a value of type object'],
  ];
  for (const [what, value, text] of thrown) {
    for (const how of ['at once', 'later']) {
      it(`is an exception with its message, and no WORK_FAIL follows: ${what}, ${how}`, async (t) => {
        const handler = (): Promise<void> => {
          if (how === 'at once') throw value;
          return turn().then(() => Promise.reject(value as Error));
        };
        const { connection } = await working(t, {}, { handler });
        connection.send(jobAssignUniq('H:1'));
        await connection.seen('GRAB_JOB_UNIQ', 2);
        assert.deepEqual(said(connection), [['WORK_EXCEPTION H:1', text].join(text === '' ? '' : ' ')]);
      });
    }
  }

  it('fails the job when it is a JobFailed, or of a class of these', async (t) => {
    class OutOfPaper extends JobFailed {}
    const { connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    (await hands.run(0)).fail(new JobFailed('not sent'));
    (await hands.run(1)).fail(new OutOfPaper('not sent either'));
    await connection.seen('GRAB_JOB_UNIQ', 4);
    assert.deepEqual(said(connection), ['WORK_FAIL H:1', 'WORK_FAIL H:2']);
    assert.deepEqual([new JobFailed('x').name, new JobFailed('x').message], ['JobFailed', 'x']);
  });
});

describe('sendStatus()', () => {
  it('tells the progress at once', async (t) => {
    const { connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const { job } = await hands.run(0);
    for (const [numerator, denominator] of [
      [0, 0],
      [3, 10],
      [0xffff_ffff, 1],
    ] as const) {
      job.sendStatus(numerator, denominator);
    }
    await connection.seen('WORK_STATUS', 3);
    assert.deepEqual(said(connection), ['WORK_STATUS H:1 0 0', 'WORK_STATUS H:1 3 10', 'WORK_STATUS H:1 4294967295 1']);
  });

  it('refuses what is no count', async (t) => {
    const { connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const { job } = await hands.run(0);
    for (const count of [-1, 0.5, NaN, Infinity, 2 ** 32, '1', null, undefined, 1n, {}]) {
      refuses(() => job.sendStatus(count as number, 1), /^sendStatus takes whole numbers from 0 to 4294967295, not /);
      refuses(() => job.sendStatus(1, count as number), /^sendStatus takes whole numbers from 0 to 4294967295, not /);
    }
    (await hands.run(0)).end();
    await connection.seen('WORK_COMPLETE');
    assert.deepEqual(said(connection), ['WORK_COMPLETE H:1']);
  });

  it('sends the latest progress alone while the server is slow to take it', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const [first, second] = [await hands.run(0), await hands.run(1)];
    connection.freeze();
    const full = first.job.sendData(Buffer.alloc(16 * MIB));
    for (const index of indexes(1000)) first.job.sendStatus(index, 1000);
    second.job.sendStatus(1, 2);
    connection.thaw();
    await full;
    await connection.seen('WORK_STATUS', 2);
    await digested(clock, peer);
    assert.deepEqual(said(connection).slice(1), ['WORK_STATUS H:1 999 1000', 'WORK_STATUS H:2 1 2']);
  });

  it('does not send what was waiting when the job ended', async (t) => {
    const { clock, peer, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    connection.freeze();
    const full = run.job.sendData(Buffer.alloc(16 * MIB));
    run.job.sendStatus(1, 2);
    run.end('result');
    connection.thaw();
    await full;
    await connection.seen('GRAB_JOB_UNIQ', 2);
    await digested(clock, peer);
    assert.deepEqual(said(connection).slice(1), ['WORK_COMPLETE H:1 result']);
  });
});

for (const [method, name] of [
  ['sendData', 'WORK_DATA'],
  ['sendWarning', 'WORK_WARNING'],
] as const) {
  describe(`${method}()`, () => {
    it('sends strings and bytes as they are, in order, also nothing', async (t) => {
      const { connection, hands } = await working(t);
      connection.send(jobAssignUniq('H:1'));
      const run = await hands.run(0);
      const chunks = ['ü\0', Buffer.from([0, 255]), new Uint8Array([9, 8, 7]).subarray(1), '', Buffer.alloc(MIB, 'x')];
      for (const chunk of chunks) await run.job[method](chunk);
      run.end('end');
      const requests = await connection.seen(name, chunks.length);
      for (const [index, chunk] of chunks.entries()) {
        assert.deepEqual(requests[index]?.args, ['H:1']);
        assert.ok(requests[index].data.equals(Buffer.from(chunk as string)), `chunk ${index}`);
      }
      await connection.seen('WORK_COMPLETE');
    });

    it('resolves when the server takes more', async (t) => {
      const { connection, hands } = await working(t);
      connection.send(jobAssignUniq('H:1'));
      const { job } = await hands.run(0);
      connection.freeze();
      const chunk = Buffer.alloc(16 * MIB, 'x');
      const sent = job[method](chunk);
      assert.equal(await isPending(sent), true);
      connection.thaw();
      await sent;
      assert.ok((await connection.seen(name))[0]?.data.equals(chunk), 'all of it');
    });

    it('resolves when the connection dies: nobody takes more', async (t) => {
      const { connection, hands } = await working(t);
      connection.send(jobAssignUniq('H:1'));
      const { job } = await hands.run(0);
      connection.freeze();
      const sent = job[method](Buffer.alloc(16 * MIB, 'x'));
      assert.equal(await isPending(sent), true);
      connection.reset();
      await sent;
      await job[method]('late');
    });

    it('throws at once what is neither a string nor bytes', async (t) => {
      const { connection, hands } = await working(t);
      connection.send(jobAssignUniq('H:1'));
      const { job } = await hands.run(0);
      for (const [chunk, kind] of [
        [7, 'number'],
        [null, 'null'],
        [undefined, 'undefined'],
        [{}, 'an object'],
      ] as const) {
        refuses(() => void job[method](chunk as never), new RegExp(`must be a string or a Uint8Array, not ${kind}\\.`));
      }
    });
  });
}

describe('after its handler has ended', () => {
  it('a job throws where something is said of it, and nothing is sent', async (t) => {
    const { clock, peer, connection, hands } = await working(t, { concurrency: 2 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const runs = [await hands.run(0), await hands.run(1)];
    runs[0]?.end('result');
    runs[1]?.fail(new Error('failed'));
    await connection.seen('GRAB_JOB_UNIQ', 4);
    for (const { job } of runs) {
      const message = (method: string): RegExp =>
        new RegExp(`^${method} was called after the handler of job ${job.handle} had ended\\.$`);
      refuses(() => job.sendStatus(1, 2), message('sendStatus'));
      // Thrown, not rejected: nobody need await it.
      refuses(() => void job.sendData('late'), message('sendData'));
      refuses(() => void job.sendWarning('late'), message('sendWarning'));
    }
    await digested(clock, peer);
    assert.deepEqual(said(connection), ['WORK_COMPLETE H:1 result', 'WORK_EXCEPTION H:2 failed']);
  });
});

describe('when its connection is lost', () => {
  it('a job learns it from its signal, may say more, and nothing is said of it elsewhere', async (t) => {
    const { worker, clock, peer, connection, hands } = await working(t, { concurrency: 3 });
    connection.send(jobAssignUniq('H:1'), jobAssignUniq('H:2'));
    const runs = [await hands.run(0), await hands.run(1)];
    const outcomes: unknown[] = [];
    worker.on('job:end', (job, outcome) => outcomes.push([job.handle, outcome, job.signal.aborted]));
    const aborted = runs.map(({ job }) => once(job.signal, 'abort'));
    connection.reset();
    await Promise.all(aborted);
    for (const { job } of runs) {
      const reason = job.signal.reason as GearmanError;
      assert.deepEqual([reason.code, reason.server], ['GEARMAN_LOST_CONNECTION', peer.name]);
      job.sendStatus(1, 2);
      await job.sendData('late');
      await job.sendWarning('late');
    }
    clock.advance(50);
    const next = await peer.connection(1);
    await next.seen('GRAB_JOB_UNIQ');
    assert.deepEqual(outcomes, [], 'the handlers run on');
    runs[0]?.end('late');
    runs[1]?.fail(new Error('late'));
    await next.seen('GRAB_JOB_UNIQ', 3);
    assert.deepEqual(outcomes, [
      ['H:1', 'lost', true],
      ['H:2', 'lost', true],
    ]);
    for (const { job } of runs) refuses(() => job.sendStatus(1, 2), /had ended/);
    next.send(jobAssignUniq('H:1'));
    (await hands.run(2)).end('again');
    await next.seen('WORK_COMPLETE');
    assert.deepEqual(said(next), ['WORK_COMPLETE H:1 again']);
  });

  it('a handler keeps its place until it has ended', async (t) => {
    const { clock, peer, connection, hands } = await working(t);
    connection.send(jobAssignUniq('H:1'));
    const run = await hands.run(0);
    const aborted = once(run.job.signal, 'abort');
    connection.reset();
    await aborted;
    clock.advance(50);
    const next = await peer.connection(1);
    await next.seen('ECHO_REQ');
    await digested(clock);
    assert.deepEqual(next.names, ['CAN_DO', 'ECHO_REQ']);
    run.end();
    await next.seen('GRAB_JOB_UNIQ');
  });
});
