/** Who runs against what. */

/** `JobServer` is the one that is embedded. */
export type ServerKind = 'null server' | 'gearmand' | 'JobServer';

/** One line of the table of contenders. */
export interface Contender {
  /** What the tables call it. */
  readonly name: string;
  /** What `contenders/main.js` calls it; or the name of a program in C. */
  readonly script: string;
  readonly isProgram?: true;
  /** Somebody else's for Node. */
  readonly isOther?: true;
  /** How many calls are outstanding, or how many jobs a worker runs at a time; the case's number by default. */
  readonly outstanding?: number;
  /** Which job server it runs against; the case's by default. */
  readonly server?: ServerKind;
  /** Another build of this client, by its folder; its own `dist` by default. */
  readonly dist?: string;
}

/** What all contenders of a case do. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly server: ServerKind;
  /** How many job servers. */
  readonly servers: number;
  readonly outstanding: number;
  readonly workloadBytes: number;
  /** What is measured: a client's calls, the jobs that a worker does, or what job servers make of the same client's jobs. */
  readonly subject: 'client' | 'worker' | 'server';
  /** How many jobs are in the job server when a worker starts; none where it has jobs for ever. */
  readonly queued?: number;
  /** Clients wait for the results of this package's worker, which runs so many jobs at a time. */
  readonly worker?: number;
  readonly contenders: readonly Contender[];
}

const bareSocket: Contender = { name: 'bare socket', script: 'bare-socket' };
const libgearman: Contender = { name: 'libgearman', script: 'libgearman', isProgram: true };
const withId: Contender = { name: 'gearman-client, ID given', script: 'gearman-client' };
const withoutId: Contender = { name: 'gearman-client, no ID', script: 'gearman-client-no-id' };
const others = ['gearmanode', 'gearman', 'abraxas'].map((name): Contender => ({ name, script: name, isOther: true }));
const foreground: Contender = { name: 'node-gearman (foreground)', script: 'node-gearman', isOther: true };

const background = [bareSocket, libgearman, withId, withoutId, ...others];
const large = [bareSocket, libgearman, withId];
const status = [
  { ...bareSocket, script: 'bare-socket-status' },
  { ...withId, name: 'gearman-client', script: 'gearman-client-status' },
];

export const WITH_ID: string = withId.name;
export const WITHOUT_ID: string = withoutId.name;
export const WORKER = 'gearman-client';
const SEVERAL = 32;
export const WORKER_SEVERAL = `${WORKER}, ${SEVERAL} at a time`;

const onServer = (server: ServerKind): Case[] => {
  const prefix = server === 'gearmand' ? 'gearmand' : 'null';
  const base = { server, servers: 1, outstanding: 1024, workloadBytes: 32, subject: 'client' } as const;
  const all = server === 'gearmand' ? background : [...background, foreground];
  const what = server === 'gearmand' ? server : `a ${server}`;
  return [
    { ...base, name: `${prefix}-32`, title: `32 bytes to ${what}, 1024 outstanding`, contenders: all },
    { ...base, name: `${prefix}-32-one`, title: `32 bytes to ${what}, 1 outstanding`, outstanding: 1, contenders: all },
    { ...base, name: `${prefix}-1k`, title: `1 KiB to ${what}`, workloadBytes: 1024, contenders: large },
    { ...base, name: `${prefix}-64k`, title: `64 KiB to ${what}`, workloadBytes: 65_536, contenders: large },
    { ...base, name: `${prefix}-1m`, title: `1 MiB to ${what}`, workloadBytes: 1_048_576, contenders: large },
    { ...base, name: `${prefix}-status`, title: `jobStatus of ${what}, 1024 outstanding`, contenders: status },
  ];
};

const pool: Case = {
  name: 'null-pool',
  title: '32 bytes to a pool of three null servers, 1024 outstanding',
  server: 'null server',
  servers: 3,
  outstanding: 1024,
  workloadBytes: 32,
  subject: 'client',
  contenders: [withoutId],
};

/** Workers that can have several jobs at a time have them here once more. */
const severalAtATime = (contender: Contender): Contender[] => [
  { ...contender, outstanding: 1 },
  { ...contender, name: `${contender.name}, ${SEVERAL} at a time`, outstanding: SEVERAL },
];

function workersOn(server: ServerKind): Case {
  const other = (name: string): Contender => ({ name, script: `${name}-worker`, isOther: true, outstanding: 1 });
  const bareSockets = severalAtATime({ ...bareSocket, script: 'bare-socket-worker' });
  const isQueued = server === 'gearmand';
  return {
    name: isQueued ? 'worker-gearmand' : 'worker-null',
    title: isQueued ? 'Workers, 50,000 jobs that are queued in gearmand' : 'Workers, a null server',
    server,
    servers: 1,
    outstanding: 1,
    workloadBytes: 32,
    subject: 'worker',
    ...(isQueued && { queued: 50_000 }),
    contenders: [
      // It completes jobs that were never assigned.
      ...(isQueued ? [] : bareSockets),
      { ...libgearman, script: 'libgearman-worker' },
      ...severalAtATime({ name: WORKER, script: 'gearman-client-worker' }),
      other('gearmanode'),
      ...severalAtATime(other('gearman')),
      ...severalAtATime(other('abraxas')),
      other('node-gearman'),
    ],
  };
}

export const JOB_SERVER = 'JobServer';
export const GEARMAND = 'gearmand';

/** Job servers take turns with the same client, and where it waits for results with the same worker. */
function jobServers(): Case[] {
  const base = {
    server: 'JobServer',
    servers: 1,
    outstanding: 1024,
    workloadBytes: 32,
    subject: 'server',
    contenders: ([JOB_SERVER, GEARMAND] as const).map((server) => ({ ...libgearman, name: server, server })),
  } as const;
  const waiting = { ...base, worker: SEVERAL };
  const title = 'Job servers: jobs in the foreground';
  return [
    { ...base, name: 'server-background', title: 'Job servers: jobs in the background, 1024 outstanding' },
    { ...waiting, name: 'server-foreground', title: `${title}, 1024 outstanding` },
    { ...waiting, name: 'server-foreground-one', title: `${title}, 1 outstanding`, outstanding: 1 },
  ];
}

/** Every case, in the order in which they run. */
export const CASES: readonly Case[] = [
  ...onServer('null server'),
  pool,
  ...onServer('gearmand'),
  workersOn('null server'),
  workersOn('gearmand'),
  ...jobServers(),
];

/** Which job server a contender runs against. */
export const serverOf = (contender: Contender, given: Case): ServerKind => contender.server ?? given.server;

/** The same case with another build of this package beside each contender of this one. */
export function against(dist: string, given: Case): Case {
  const contenders = given.contenders.flatMap((contender) =>
    contender.name.startsWith('gearman-client') || contender.name === JOB_SERVER
      ? [contender, { ...contender, name: `${contender.name}, other build`, dist }]
      : [contender],
  );
  return { ...given, contenders };
}
