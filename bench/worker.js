// A worker of this package, from dist, for jobs that clients wait for: `node worker.js CONCURRENCY PORT`. It ends when its standard
// input does.
const { GearmanWorker } = /** @type {typeof import('../src/index.js')} */ (
  await import(new URL('../dist/index.js', import.meta.url).href)
);

const [concurrency, port] = process.argv.slice(2);
const worker = new GearmanWorker({ servers: `127.0.0.1:${port}`, concurrency: Number(concurrency) });
worker.addFunction('bench', (job) => job.workload);
await worker.start();
process.stdin.resume().on('end', () => process.exit());
console.log(port);
