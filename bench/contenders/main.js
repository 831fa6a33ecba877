// One contender in a process of its own: warms up, then runs against the clock, and prints as JSON what that took.
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

/** @import { Contender, Setting } from './setting.js' */

/** @type {Record<string, (setting: Setting) => Promise<Contender>>} */
const CONTENDERS = {
  'bare-socket': async (setting) => (await import('./bare-socket.js')).connect(setting),
  'bare-socket-status': async (setting) => (await import('./bare-socket.js')).connectForStatus(setting),
  'gearman-client': async (setting) => (await import('./gearman-client.js')).connect(setting),
  'gearman-client-no-id': async (setting) => (await import('./gearman-client.js')).connectWithoutIds(setting),
  'gearman-client-status': async (setting) => (await import('./gearman-client.js')).connectForStatus(setting),
  gearmanode: async (setting) => (await import('./gearmanode.js')).connect(setting),
  gearman: async (setting) => (await import('./gearman.js')).connect(setting),
  abraxas: async (setting) => (await import('./abraxas.js')).connect(setting),
  'node-gearman': async (setting) => (await import('./node-gearman.js')).connect(setting),
};

/** As `--ports 1,2`; all are needed. */
const { values } = parseArgs({
  options: {
    name: { type: 'string', default: '' },
    ports: { type: 'string', default: '' },
    outstanding: { type: 'string', default: '1' },
    workload: { type: 'string', default: '32' },
    ids: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '1' },
    most: { type: 'string', default: '1000' },
  },
});

/** IDs of 36 bytes, each in one piece: those that are put together from parts would be joined while the clock runs. */
const makeIds = (/** @type {number} */ count) =>
  Array.from({ length: count }, () => Buffer.from(randomUUID()).toString('latin1'));

/**
 * @param {Contender} contender
 * @param {number} calls
 */
async function clock(contender, calls) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await contender.run(calls);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { calls, seconds, cpuSeconds: (user + system) / 1e6 };
}

/**
 * Warms up for as long as it will measure, in parts that grow to a quarter of that, and then makes as many calls as fill the time.
 * @param {Contender} contender
 * @param {{ seconds: number, most: number }} limits - `most`: calls altogether, of which a third warm up
 */
async function measure(contender, { seconds, most }) {
  let left = most;
  let warmSeconds = 0;
  let perSecond = 8 / seconds;
  while (warmSeconds < seconds && left > (most * 2) / 3) {
    const part = await clock(contender, Math.ceil(Math.min(most / 6, (perSecond * seconds) / 4)));
    left -= part.calls;
    warmSeconds += part.seconds;
    perSecond = part.calls / part.seconds;
  }
  return clock(contender, Math.ceil(Math.min(left, perSecond * seconds)));
}

const connect = CONTENDERS[values.name];
if (connect === undefined) throw new Error(`no contender is called ${values.name}`);
const contender = await connect({
  ports: values.ports.split(',').map(Number),
  outstanding: Number(values.outstanding),
  workload: Buffer.alloc(Number(values.workload), 'w'),
  ids: makeIds(Number(values.ids)),
});
const result = await measure(contender, { seconds: Number(values.seconds), most: Number(values.most) });
const { maxRSS } = process.resourceUsage();
console.log(JSON.stringify({ ...result, peakRssBytes: maxRSS * 1024 }));
await contender.close();
process.exit();
