/** `gearman-client serve`: a job server for development. */
import { JobServer, type ListenOptions } from '../server/server.js';
import { UsageError, readOptions, type Command } from './command.js';

function portOf(digits: string): number {
  const port = Number(digits);
  if (port > 65_535) throw new UsageError(`--listen takes a port from 0 to 65535, not ${digits}`);
  return port;
}

/** `host`, `port`, `host:port` or `[address]:port`; what is left out is as the job server has it. */
function placeOf(listen: string): ListenOptions {
  if (/^\d+$/.test(listen)) return { port: portOf(listen) };
  const { bracketed, plain, port } =
    /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:]+))(?::(?<port>\d+))?$/.exec(listen)?.groups ?? {};
  const host = bracketed ?? plain;
  if (host === undefined) {
    throw new UsageError(`--listen takes host:port, with an IPv6 address in brackets, not ${listen}`);
  }
  return { host, port: port === undefined ? undefined : portOf(port) };
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
    const { host, port } = (await server.listen(listen === '' ? {} : placeOf(listen))).address;
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
