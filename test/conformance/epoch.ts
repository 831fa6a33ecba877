/** Jobs that have a time. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Peer } from './peer.js';
import type { Run, Scene, Theme } from './scene.js';

/** The whole second that begins in over half a second, since 1970. */
const soon = (): number => Math.ceil(Date.now() / 1000 + 0.5);
const LATER = '4000000000';

/** Resolves when a sleeping worker was woken for a job of that time, or should have been. */
async function wokenAt(due: number, scene: Scene, worker: Peer): Promise<void> {
  if (scene.differs('nobody is woken when a time has come')) {
    await until(due + 0.2);
    await worker.quiet();
    return;
  }
  await worker.expect('NOOP');
  assert.ok(Date.now() / 1000 >= due, 'it was woken too early');
}

async function until(second: number): Promise<void> {
  while (Date.now() / 1000 < second) await sleep(10);
}

const runsNow =
  (epoch: string): Run =>
  async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, epoch, 'w');
    assert.deepEqual(await worker.drain(), ['w']);
    await client.quiet();
  };

export const epoch: Theme = {
  'a time that is over is now': runsNow('1000000000'),
  'this second is now': async (scene) => {
    await runsNow(String(Math.floor(Date.now() / 1000)))(scene);
  },
  '0 is now': runsNow('0'),
  'a negative time is now': runsNow('-5'),
  'what is no number is now': runsNow('tomorrow'),
  'nothing is now': runsNow(''),
  'a fraction is cut off': runsNow('1.5'),
  'what is behind the number does not matter': runsNow('1000000000 or so'),

  'a job of later is known and does not run': async (scene) => {
    const [client, worker] = await scene.pair();
    const handle = await client.submit('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, LATER, 'w');
    await worker.grabNothing();
    assert.equal(await client.status(handle), '1 0 0 0');
    assert.equal(await scene.counts(), '1 0 1');
  },

  'a time of 19 digits is later': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, '9223372036854775806', '');
    await worker.grabNothing();
  },

  'a time beyond any number is later': async (scene) => {
    const [client, worker] = await scene.pair();
    if (scene.differs('what it cannot use is not answered')) {
      await client.send('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, '99999999999999999999', '').ignored();
      return;
    }
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, '99999999999999999999', '');
    await worker.grabNothing();
  },

  'it runs when its time has come, not before': async (scene) => {
    const [client, worker] = await scene.pair();
    const due = soon();
    const handle = await client.submit('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, String(due), 'w');
    await worker.grabNothing();
    let [type, given] = await worker.send('GRAB_JOB').next();
    for (; type === 'NO_JOB'; [type, given] = await worker.send('GRAB_JOB').next()) await sleep(10);
    assert.deepEqual([type, given], ['JOB_ASSIGN', handle]);
    assert.ok(Date.now() / 1000 >= due, 'it ran too early');
    await worker.send('WORK_COMPLETE', handle, 'r').quiet();
    await client.quiet();
  },

  'sleeping workers are woken when it is submitted, and when its time has come': async (scene) => {
    const [client, worker] = await scene.pair();
    await worker.send('PRE_SLEEP').quiet();
    const due = soon();
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, String(due), 'w');
    await worker.expect('NOOP');
    await worker.grabNothing();
    await worker.send('PRE_SLEEP').quiet();
    await wokenAt(due, scene, worker);
    assert.deepEqual(await worker.drain(), ['w']);
  },

  'all sleeping workers are woken': async (scene) => {
    const [client, one] = await scene.pair();
    const other = await scene.worker();
    const due = soon();
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', String(due), 'w');
    for (const worker of [one, other]) await worker.send('PRE_SLEEP').quiet();
    for (const worker of [one, other]) await wokenAt(due, scene, worker);
  },

  'two times are two wakings': async (scene) => {
    const [client, worker] = await scene.pair();
    const due = soon();
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', String(due + 1), 'second');
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', String(due), 'first');
    for (const [workload, second] of Object.entries({ first: due, second: due + 1 })) {
      await worker.send('PRE_SLEEP').quiet();
      await wokenAt(second, scene, worker);
      assert.deepEqual(await worker.drain(), [workload]);
    }
  },

  'it does not hide jobs of its priority': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', LATER, 'later');
    await client.submit('SUBMIT_JOB_BG', scene.fn, '', 'now');
    assert.deepEqual(await worker.drain(), ['now']);
  },

  'it does not hide jobs of low priority': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', LATER, 'later');
    await client.submit('SUBMIT_JOB_LOW_BG', scene.fn, '', 'low');
    const isHidden = scene.differs('a job of later hides low jobs');
    assert.deepEqual(await worker.drain(), isHidden ? [] : ['low']);
    worker.send('PRE_SLEEP');
    if (isHidden) await worker.expect('NOOP');
    await worker.quiet();
  },

  'it does not hide jobs of other functions': async (scene) => {
    const client = await scene.peer();
    const [f, g] = [scene.name('f'), scene.name('g')];
    await client.submit('SUBMIT_JOB_BG', f, '', 'now');
    await client.submit('SUBMIT_JOB_EPOCH', g, '', LATER, 'later');
    const worker = await scene.worker(f, g);
    assert.deepEqual(await worker.drain(), ['now']);
  },

  'it does not keep workers from sleep': async (scene) => {
    const [client, worker] = await scene.pair();
    await client.submit('SUBMIT_JOB_EPOCH', scene.fn, '', LATER, 'later');
    await worker.send('PRE_SLEEP').quiet();
  },

  'it may be cancelled': async (scene) => {
    const [client, worker] = await scene.pair();
    const due = soon();
    const handle = await client.submit('SUBMIT_JOB_EPOCH', scene.fn, scene.unique, String(due), 'w');
    await client.say(`cancel job ${handle}`).expect('TEXT', 'OK\r\n');
    await until(due + 0.1);
    await worker.grabNothing();
    assert.equal(await client.status(handle), '0 0 0 0');
  },
};
