/** What this client aims at, and how far it came. An aim that is missed fails nothing: it is said. */
import { JOB_SERVER, WITHOUT_ID, WITH_ID, WORKER, WORKER_SEVERAL } from './cases.js';
import type { Report } from './report.js';
import type { Figures } from './samples.js';

export interface Aim {
  readonly aim: string;
  readonly measured: string;
  readonly isReached: boolean;
}

/** A figure that was looked for; none where it was not measured. */
type Value = number | undefined;

const atLeast = (aim: string, value: Value, limit: number): Aim | undefined =>
  value === undefined ? undefined : { aim, measured: value.toFixed(2), isReached: value >= limit };

const atMost = (aim: string, value: Value, limit: number): Aim | undefined =>
  value === undefined ? undefined : { aim, measured: value.toFixed(2), isReached: value <= limit };

type Find = (name: string, contender: string) => Figures | undefined;

const findIn =
  ({ cases }: Report): Find =>
  (name, contender) =>
    cases.find((each) => each.name === name)?.figures.find((each) => each.contender === contender);

function speedAims(find: Find): (Aim | undefined)[] {
  const given = find('null-32', WITH_ID);
  const made = find('null-32', WITHOUT_ID);
  return [
    atLeast("null server: 1.0 of libgearman's jobs/s", given?.toLibgearman, 1),
    atLeast("null server: not below 0.65 of libgearman's jobs/s", given?.toLibgearman, 0.65),
    atLeast('null server: 20 times the fastest other Node client', given?.toOther, 20),
    atMost('null server: 1.0 us of CPU per job, ID given', given?.cpuMicrosPerCall, 1),
    atMost('null server: 1.15 us of CPU per job, no ID', made?.cpuMicrosPerCall, 1.15),
    atLeast('gearmand: 0.9 of the bare socket, ID given', find('gearmand-32', WITH_ID)?.toBareSocket, 0.9),
    atLeast('gearmand: 0.85 of the bare socket, no ID', find('gearmand-32', WITHOUT_ID)?.toBareSocket, 0.85),
    atLeast('gearmand: no slower than libgearman', find('gearmand-32', WITH_ID)?.toLibgearman, 1),
    atLeast('null server, 1 outstanding: 0.85 of the bare socket', find('null-32-one', WITH_ID)?.toBareSocket, 0.85),
    atLeast('gearmand, 1 outstanding: 0.85 of the bare socket', find('gearmand-32-one', WITH_ID)?.toBareSocket, 0.85),
    atLeast("null server, 1 MiB: 0.9 of the bare socket's bytes/s", find('null-1m', WITH_ID)?.toBareSocket, 0.9),
    atLeast("gearmand, 1 MiB: 0.9 of the bare socket's bytes/s", find('gearmand-1m', WITH_ID)?.toBareSocket, 0.9),
  ];
}

function workerAims(find: Find): (Aim | undefined)[] {
  const one = find('worker-null', WORKER);
  const several = find('worker-null', WORKER_SEVERAL);
  return [
    atLeast("worker, null server, 1 at a time: 1.0 of libgearman's jobs/s", one?.toLibgearman, 1),
    atLeast("worker, null server, 32 at a time: 1.0 of libgearman's jobs/s", several?.toLibgearman, 1),
    atLeast('worker, null server, 1 at a time: 10 times the fastest other Node worker with 1', one?.toOther, 10),
    atLeast('worker, null server, 32 at a time: 10 times the fastest other Node worker with 32', several?.toOther, 10),
    atLeast(
      'worker, gearmand, 1 at a time: 3 times the fastest other Node worker',
      find('worker-gearmand', WORKER)?.toOther,
      3,
    ),
    atLeast(
      'worker, gearmand, 32 at a time: 3 times the fastest other Node worker',
      find('worker-gearmand', WORKER_SEVERAL)?.toOther,
      3,
    ),
  ];
}

function serverAims(find: Find, { queued }: Report): (Aim | undefined)[] {
  const background = find('server-background', JOB_SERVER);
  const foreground = find('server-foreground', JOB_SERVER);
  const one = find('server-foreground-one', JOB_SERVER);
  const million = queued.find(({ server }) => server === JOB_SERVER);
  return [
    atLeast("job server, background: 0.8 of gearmand's jobs/s", background?.toGearmand, 0.8),
    atLeast("job server, foreground: 1.0 of gearmand's jobs/s", foreground?.toGearmand, 1),
    atLeast("job server, foreground, 1 outstanding: 1.0 of gearmand's jobs/s", one?.toGearmand, 1),
    atMost('job server, a million queued: 400 MB', million && million.rssBytes / 1e6, 400),
    atLeast('job server, a million queued: submissions as fast as at first', million?.lastToFirst, 1),
    atMost(
      'job server, a million queued: 1.5 times as slow as with ten thousand',
      million && 1 / million.millionToFew,
      1.5,
    ),
  ];
}

function memoryAims({ memory }: Report): (Aim | undefined)[] {
  // A hundredth for what else the process does meanwhile.
  return [
    atMost('64 MiB in a Buffer: one copy at most', memory?.buffer.copies, 1.01),
    atMost('64 MiB in a string: one copy at most', memory?.string.copies, 1.01),
    atMost('a million calls at once: 700 bytes each', memory?.million.bytesEach, 700),
    atMost('a million calls, settled: 20 MB left', memory && memory.million.leftBytes / 1e6, 20),
  ];
}

/** The aims whose figures were measured. */
export function reach(report: Report): Aim[] {
  const find = findIn(report);
  const aims = [...speedAims(find), ...workerAims(find), ...serverAims(find, report), ...memoryAims(report)];
  return aims.filter((aim) => aim !== undefined);
}
