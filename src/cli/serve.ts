/** `gearman-client serve`: a job server for development. */
import { JobServer } from '../server/server.js';
import { UsageError, readOptions, type Command } from './command.js';

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_PORT = 4730;

function portOf(digits: string): number {
  const port = Number(digits);
  if (port > 65_535) throw new UsageError(`--listen takes a port from 0 to 65535, not ${digits}`);
  return port;
}

/** `host`, `port`, `host:port` or `[address]:port`. */
function placeOf(listen: string): { host: string; port: number } {
  if (/^\d+$/.test(listen)) return { host: DEFAULT_HOST, port: portOf(listen) };
  const { bracketed, plain, port } =
    /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:]+))(?::(?<port>\d+))?$/.exec(listen)?.groups ?? {};
  const host = bracketed ?? plain;
  if (host === undefined) {
    throw new UsageError(`--listen takes host:port, with an IPv6 address in brackets, not ${listen}`);
  }
  return { host, port: portOf(port ?? String(DEFAULT_PORT)) };
}

/** The command `serve`. */
export const serve: Command = {
  summary: 'runs a job server for development',
  help: `Usage: gearman-client serve [--listen host:port]

Runs a Gearman job server in the foreground, until it is interrupted. It is for development: it keeps its jobs in memory
alone. In production, run gearmand. With DEBUG=gearman:server it says what it does.

  --listen host:port  where to listen; 127.0.0.1:4730 by default, which only this machine reaches`,
  run: async (args, { out, runtime, interrupted }) => {
    const { listen = '' } = readOptions(args, ['listen']);
    const server = new JobServer({}, runtime);
    const place = listen === '' ? { host: DEFAULT_HOST, port: DEFAULT_PORT } : placeOf(listen);
    const { host, port } = (await server.listen(place)).address;
    // Before it says that it is there: whoever reads that may end it at once.
    const ended = interrupted();
    const shown = host.includes(':') ? `[${host}]` : host;
    out.write(`A Gearman job server for development listens on ${shown}:${String(port)}.\n`);
    out.write('It keeps its jobs in memory alone: when it ends, they are gone. In production, run gearmand.\n');
    await ended;
    await server.close();
    out.write('It has ended.\n');
  },
};
