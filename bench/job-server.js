// The embedded job server, from dist, in a process of its own: `node job-server.js [DIST]` listens on a free port of 127.0.0.1, prints
// it, and ends when its standard input does.
import { pathToFileURL } from 'node:url';

const [dist] = process.argv.slice(2);
const index = dist === undefined ? new URL('../dist/index.js', import.meta.url) : pathToFileURL(dist);
const { JobServer } = /** @type {typeof import('../src/server/server.js')} */ (
  await import(new URL('server/server.js', index).href)
);

const server = await new JobServer().listen({ port: 0 });
process.stdin.resume().on('end', () => process.exit());
console.log(server.address.port);
