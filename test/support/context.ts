/**
 * A process of its own, run with --expose-gc, whose call opens a connection in an AsyncLocalStorage context: `tsx context.ts SERVER`.
 * Prints as JSON how the server is after the call, and whether the store of that context was collected meanwhile.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { GearmanClient } from '../../src/index.js';

const storage = new AsyncLocalStorage<object>();
const client = new GearmanClient(process.argv[2] ?? '');

/** What one call of a web server is: a context, in which a job is submitted. Returns its store, weakly. */
async function handleRequest(): Promise<WeakRef<object>> {
  const store = { request: 1 };
  await storage.run(store, async () => {
    await client.doBackground('f', 'w');
  });
  return new WeakRef(store);
}

const store = await handleRequest();
// What a WeakRef was made of lives until the turn ends.
await new Promise((resolve) => setImmediate(resolve));
globalThis.gc?.();
console.log(JSON.stringify({ state: client.servers[0]?.state, isCollected: store.deref() === undefined }));
