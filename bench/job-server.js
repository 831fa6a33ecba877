// The embedded job server, from dist, in a process of its own: listens on a free port of 127.0.0.1, prints it, and ends when its
// standard input does.
const dist = process.env['BENCH_DIST'] ?? new URL('../dist/index.js', import.meta.url).href;
const { JobServer } = /** @type {typeof import('../src/server/server.js')} */ (
  await import(new URL('server/server.js', new URL(dist, 'file:')).href)
);

const server = await new JobServer().listen({ port: 0 });
process.stdin.resume().on('end', () => process.exit());
console.log(server.address.port);
