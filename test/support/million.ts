/**
 * A process of its own, run with --expose-gc, that issues a million submissions at once: `tsx million.ts SERVER`. Prints as JSON how
 * many bytes each took while outstanding, and by how many bytes the memory had grown in the end.
 */
import { GearmanClient } from '../../src/index.js';

const COUNT = 1_000_000;

/** What is reachable, after a collection: objects, and memory outside the heap. */
function usedBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const client = new GearmanClient({ servers: process.argv[2] ?? '', timeout: 120_000 });
await client.doBackground('million', 'w');

async function issue(): Promise<{ bytesEach: number; handles: number }> {
  const calls = new Array<Promise<string>>(COUNT);
  const before = usedBytes();
  for (let index = 0; index < COUNT; index++) calls[index] = client.doBackground('million', 'w');
  const bytesEach = (usedBytes() - before) / COUNT;
  return { bytesEach, handles: new Set(await Promise.all(calls)).size };
}

const start = usedBytes();
const { bytesEach, handles } = await issue();
console.log(JSON.stringify({ bytesEach, handles, grown: usedBytes() - start }));
