// What this client takes of memory: `node --expose-gc memory.js WHAT PORT`, a process of its own for each; prints JSON.
import { setTimeout as sleep } from 'node:timers/promises';

const { GearmanClient } = /** @type {typeof import('../src/index.js')} */ (
  await import(new URL('../dist/index.js', import.meta.url).href)
);

const MILLION = 1_000_000;
const LARGE = 64 * 1024 * 1024;

/** What is reachable, after a collection: objects, and memory outside the heap. */
function usedBytes() {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/**
 * Submits one large workload. Buffers are outside the heap, so that they show in `external`; the peak of the resident set shows what
 * the process took altogether.
 * @param {import('../src/index.js').GearmanClient} client
 * @param {string | Buffer} workload
 */
async function submitLarge(client, workload) {
  globalThis.gc?.();
  const start = process.memoryUsage();
  let [external, rss] = [start.external, start.rss];
  let isDone = false;
  const call = client.doBackground('bench', workload).finally(() => (isDone = true));
  while (!isDone) {
    const now = process.memoryUsage();
    [external, rss] = [Math.max(external, now.external), Math.max(rss, now.rss)];
    await sleep(1);
  }
  await call;
  return { copies: (external - start.external) / LARGE, rssCopies: (rss - start.rss) / LARGE };
}

/**
 * Issues a million jobs without awaiting any.
 * @param {import('../src/index.js').GearmanClient} client
 */
async function issueMillion(client) {
  const start = usedBytes();
  const bytesEach = await (async () => {
    const calls = new Array(MILLION);
    const before = usedBytes();
    for (let index = 0; index < MILLION; index++) calls[index] = client.doBackground('bench', 'w');
    const outstanding = usedBytes() - before;
    await Promise.all(calls);
    return outstanding / MILLION;
  })();
  return { bytesEach, leftBytes: usedBytes() - start };
}

const [what, port] = process.argv.slice(2);
const client = new GearmanClient({ servers: `127.0.0.1:${port}`, timeout: 120_000 });
await client.doBackground('bench', 'w');
if (what === 'million') console.log(JSON.stringify(await issueMillion(client)));
else if (what === 'string')
  console.log(JSON.stringify(await submitLarge(client, Buffer.alloc(LARGE, 'w').toString('latin1'))));
else console.log(JSON.stringify(await submitLarge(client, Buffer.alloc(LARGE, 'w'))));
await client.close();
