/** What this client aims at, and how far it came. An aim that is missed fails nothing: it is said. */
import { OTHER_CLIENTS, WITHOUT_ID, WITH_ID } from './cases.js';
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

function speedAims({ cases }: Report): (Aim | undefined)[] {
  const find = (name: string, contender: string): Figures | undefined =>
    cases.find((each) => each.name === name)?.figures.find((each) => each.contender === contender);
  const given = find('null-32', WITH_ID);
  const made = find('null-32', WITHOUT_ID);
  const others = OTHER_CLIENTS.map((name) => find('null-32', name)?.callsPerSecond ?? 0);
  const fastest = Math.max(...others);
  const times = given === undefined || fastest === 0 ? undefined : given.callsPerSecond / fastest;
  return [
    atLeast("null server: 1.0 of libgearman's jobs/s", given?.toLibgearman, 1),
    atLeast("null server: not below 0.65 of libgearman's jobs/s", given?.toLibgearman, 0.65),
    atLeast('null server: 20 times the fastest other Node client', times, 20),
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
  return [...speedAims(report), ...memoryAims(report)].filter((aim) => aim !== undefined);
}
