// One contender in a process of its own: warms up, then runs against the clock, and prints as JSON what that took.
import { parseArgs } from 'node:util';
import { makeIds } from './ids.js';

/** @import { Contender, Setting } from './setting.js' */

/** @type {Record<string, (setting: Setting) => Promise<Contender>>} */
const CONTENDERS = {
  'bare-socket': async (setting) => (await import('./bare-socket.js')).connect(setting),
  'bare-socket-status': async (setting) => (await import('./bare-socket.js')).connectForStatus(setting),
  'bare-socket-worker': async (setting) => (await import('./bare-socket.js')).connectWorker(setting),
  'gearman-client': async (setting) => (await import('./gearman-client.js')).connect(setting),
  'gearman-client-no-id': async (setting) => (await import('./gearman-client.js')).connectWithoutIds(setting),
  'gearman-client-status': async (setting) => (await import('./gearman-client.js')).connectForStatus(setting),
  'gearman-client-worker': async (setting) => (await import('./gearman-client.js')).connectWorker(setting),
  gearmanode: async (setting) => (await import('./gearmanode.js')).connect(setting),
  'gearmanode-worker': async (setting) => (await import('./gearmanode.js')).connectWorker(setting),
  gearman: async (setting) => (await import('./gearman.js')).connect(setting),
  'gearman-worker': async (setting) => (await import('./gearman.js')).connectWorker(setting),
  abraxas: async (setting) => (await import('./abraxas.js')).connect(setting),
  'abraxas-worker': async (setting) => (await import('./abraxas.js')).connectWorker(setting),
  'node-gearman': async (setting) => (await import('./node-gearman.js')).connect(setting),
  'node-gearman-worker': async (setting) => (await import('./node-gearman.js')).connectWorker(setting),
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
    queued: { type: 'string', default: 'no' },
  },
});

/** @param {() => Promise<number>} run - resolves with the number of calls that it made */
async function clock(run) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const calls = await run();
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
  const run = (/** @type {number} */ calls) => clock(() => contender.run(calls).then(() => calls));
  let left = most;
  let warmSeconds = 0;
  let perSecond = 8 / seconds;
  while (warmSeconds < seconds && left > (most * 2) / 3) {
    const part = await run(Math.ceil(Math.min(most / 6, (perSecond * seconds) / 4)));
    left -= part.calls;
    warmSeconds += part.seconds;
    perSecond = part.calls / part.seconds;
  }
  return run(Math.ceil(Math.min(left, perSecond * seconds)));
}

const connect = CONTENDERS[values.name];
if (connect === undefined) throw new Error(`no contender is called ${values.name}`);
const contender = await connect({
  ports: values.ports.split(',').map(Number),
  outstanding: Number(values.outstanding),
  workload: Buffer.alloc(Number(values.workload), 'w'),
  ids: makeIds(Number(values.ids)),
});
const limits = { seconds: Number(values.seconds), most: Number(values.most) };
const { drain } = contender;
const isQueued = values.queued === 'yes' && drain !== undefined;
const result = await (isQueued ? clock(() => drain(limits.most, limits.seconds)) : measure(contender, limits));
const { maxRSS } = process.resourceUsage();
console.log(JSON.stringify({ ...result, peakRssBytes: maxRSS * 1024 }));
await contender.close();
process.exit();
