/** What a worker says that it can do, and the jobs that it takes. */
import assert from 'node:assert/strict';
import type { Theme } from './scene.js';

export const abilities: Theme = {
  'who can do nothing gets nothing': async (scene) => {
    const peer = await scene.peer();
    for (const grab of ['GRAB_JOB', 'GRAB_JOB_UNIQ', 'GRAB_JOB_ALL'] as const) await peer.send(grab).expect('NO_JOB');
  },

  'who can do other things gets nothing': async (scene) => {
    const [client, worker] = [await scene.peer(), await scene.worker(scene.name('g'))];
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    await worker.grabNothing();
  },

  'each job is given to one worker': async (scene) => {
    const client = await scene.peer();
    const workers = [await scene.worker(), await scene.worker(), await scene.worker()];
    const workloads = Array.from({ length: 30 }, (_, i) => String(i));
    for (const workload of workloads) await client.submit('SUBMIT_JOB_BG', scene.fn, '', workload);
    const done = await Promise.all(workers.map((worker) => worker.drain()));
    assert.deepEqual(done.flat().toSorted(), workloads.toSorted());
  },

  'many grabs in one write get jobs in order, then none': async (scene) => {
    const [client, worker] = await scene.pair();
    const handles: string[] = [];
    for (let i = 0; i < 3; i++) handles.push(await client.submit('SUBMIT_JOB_BG', scene.fn, '', ''));
    for (let i = 0; i < 5; i++) worker.send('GRAB_JOB');
    for (const handle of handles) await worker.expect('JOB_ASSIGN', handle, scene.fn, '');
    await worker.expect('NO_JOB');
    await worker.expect('NO_JOB');
    assert.equal(await scene.counts(), '3 3 1');
  },

  'status counts jobs, running ones and workers': async (scene) => {
    const [client, worker] = await scene.pair();
    assert.equal(await scene.counts(), '0 0 1');
    for (let i = 0; i < 3; i++) await client.submit('SUBMIT_JOB_BG', scene.fn, '', '');
    assert.equal(await scene.counts(), '3 0 1');
    const { handle } = await worker.grab();
    assert.equal(await scene.counts(), '3 1 1');
    await worker.send('WORK_COMPLETE', handle, '').quiet();
    assert.equal(await scene.counts(), '2 0 1');
    await scene.leave(worker);
    assert.equal(await scene.counts(), '2 0 0');
  },

  'CAN_DO twice counts twice, and one CANT_DO takes both back': async (scene) => {
    const worker = await scene.worker(scene.fn, scene.fn);
    assert.equal(await scene.counts(), '0 0 2');
    await worker.send('SET_CLIENT_ID', scene.name('id')).quiet();
    const [line = ''] = await scene.lines('workers', scene.name('id'));
    assert.ok(line.endsWith(` ${scene.name('id')} : ${scene.fn} ${scene.fn}`), line);
    await worker.send('CANT_DO', scene.fn).quiet();
    assert.equal(await scene.counts(), '0 0 0');
  },

  'CANT_DO of what was never registered does nothing': async (scene) => {
    const [client, worker] = await scene.pair();
    await worker.send('CANT_DO', scene.name('g')).quiet();
    await (await scene.peer()).send('CANT_DO', scene.fn).quiet();
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'w');
    assert.deepEqual(await worker.drain(), ['w']);
  },

  'RESET_ABILITIES takes all of them back': async (scene) => {
    const [f, g] = [scene.name('f'), scene.name('g')];
    const worker = await scene.worker(f, g);
    await worker.send('RESET_ABILITIES').quiet();
    assert.deepEqual([await scene.counts(f), await scene.counts(g)], ['0 0 0', '0 0 0']);
    await worker.send('CAN_DO', g).quiet();
    assert.deepEqual([await scene.counts(f), await scene.counts(g)], ['0 0 0', '0 0 1']);
  },

  'RESET_ABILITIES of who has none does nothing': async (scene) => {
    await (await scene.peer()).send('RESET_ABILITIES').quiet();
  },

  'what a worker names again goes first again': async (scene) => {
    const [f, g] = [scene.name('f'), scene.name('g')];
    const client = await scene.peer();
    const worker = await scene.worker(f, g);
    await worker.send('CANT_DO', f).send('CAN_DO', f).quiet();
    for (const fn of [g, f]) await client.submit('SUBMIT_JOB_BG', fn, '', fn);
    assert.deepEqual(await worker.drain(), [f, g]);
  },

  'functions are told apart by case': async (scene) => {
    const client = await scene.peer();
    const [lower, upper] = [scene.name('f'), scene.name('F')];
    const worker = await scene.worker(lower);
    await client.submit('SUBMIT_JOB_BG', upper, '', '');
    await worker.grabNothing();
  },

  'a function that is there appears once its name was said, and stays': async (scene) => {
    const worker = await scene.worker();
    assert.equal(await scene.counts(), '0 0 1');
    await scene.leave(worker);
    assert.equal(await scene.counts(), '0 0 0');
  },
};
