/** Who runs against what. */

/** One line of the table of contenders. */
export interface Contender {
  /** What the tables call it. */
  readonly name: string;
  /** What `contenders/main.js` calls it; none for libgearman, which is a program of its own. */
  readonly script: string | undefined;
  /** Another build of this client, by its folder; its own `dist` by default. */
  readonly dist?: string;
}

/** What all contenders of a case do. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly server: 'null server' | 'gearmand';
  /** How many job servers. */
  readonly servers: number;
  readonly outstanding: number;
  readonly workloadBytes: number;
  readonly contenders: readonly Contender[];
}

const bareSocket: Contender = { name: 'bare socket', script: 'bare-socket' };
const libgearman: Contender = { name: 'libgearman', script: undefined };
const withId: Contender = { name: 'gearman-client, ID given', script: 'gearman-client' };
const withoutId: Contender = { name: 'gearman-client, no ID', script: 'gearman-client-no-id' };
const others: readonly Contender[] = ['gearmanode', 'gearman', 'abraxas'].map((name) => ({ name, script: name }));
const foreground: Contender = { name: 'node-gearman (foreground)', script: 'node-gearman' };

const background = [bareSocket, libgearman, withId, withoutId, ...others];
const large = [bareSocket, libgearman, withId];
const status = [
  { ...bareSocket, script: 'bare-socket-status' },
  { ...withId, name: 'gearman-client', script: 'gearman-client-status' },
];

/** Names of the contenders that are other people's Node clients. */
export const OTHER_CLIENTS: readonly string[] = [...others, foreground].map(({ name }) => name);
export const WITH_ID: string = withId.name;
export const WITHOUT_ID: string = withoutId.name;

const onServer = (server: Case['server']): Case[] => {
  const prefix = server === 'gearmand' ? 'gearmand' : 'null';
  const base = { server, servers: 1, outstanding: 1024, workloadBytes: 32 };
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
  contenders: [withoutId],
};

/** Every case, in the order in which they run. */
export const CASES: readonly Case[] = [...onServer('null server'), pool, ...onServer('gearmand')];

/** The same case with another build of this client beside each of this one. */
export function against(dist: string, given: Case): Case {
  const contenders = given.contenders.flatMap((contender) =>
    contender.name.startsWith('gearman-client')
      ? [contender, { ...contender, name: `${contender.name}, other build`, dist }]
      : [contender],
  );
  return { ...given, contenders };
}
