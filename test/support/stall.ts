/**
 * A process of its own whose event loop stands still while answers wait: `tsx stall.ts SERVER stop|block COUNT`. It submits COUNT jobs,
 * then stops itself (and must be continued) or computes for 5 s; prints how many calls were answered, and by which code the others
 * failed, as JSON.
 */
import { GearmanClient, GearmanError } from '../../src/index.js';

const [servers = '', mode = '', count = '0'] = process.argv.slice(2);
const length = Number(count);
const client = new GearmanClient({ servers, timeout: 2000, heartbeat: 500, connectTimeout: 500, maxInFlight: length });
await client.doBackground('stall', 'w');

const outcomes: Record<string, number> = {};
const calls = Array.from({ length }, async () => {
  const outcome = await client.doBackground('stall', 'w').then(
    () => 'answered',
    (error: unknown) => (error instanceof GearmanError ? error.code : String(error)),
  );
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
});
// The requests are written in a microtask; from here on answers come.
setImmediate(() => {
  if (mode === 'stop') process.kill(process.pid, 'SIGSTOP');
  const end = Date.now() + 5000;
  while (mode === 'block' && Date.now() < end);
});
await Promise.all(calls);
console.log(JSON.stringify(outcomes));
