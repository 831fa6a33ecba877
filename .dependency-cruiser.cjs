/**
 * The house as a table, one row a room: a folder of src, or a few files that stand in src itself.
 * - `files`: every file of the room in import order; each imports only those before it.
 * - `imports`: the rooms below, or single files of them, that all of the room's files may import.
 * What a row does not allow is forbidden, type imports included.
 * @type {Record<string, { folder?: string, files: string[], imports: string[] }>}
 */
const house = {
  floor: {
    folder: '',
    files: ['errors', 'observe', 'runtime'],
    imports: [],
  },
  protocol: {
    files: ['packet', 'arguments', 'encode', 'incoming', 'decode', 'text', 'strings', 'batch'],
    imports: ['floor'],
  },
  transport: {
    files: [
      ...['address', 'backoff', 'settings', 'routing', 'fifo', 'signals', 'deadlines', 'world', 'request'],
      ...['replies', 'socket', 'connection', 'waiting', 'endpoint', 'pool'],
    ],
    imports: ['floor', 'protocol'],
  },
  client: {
    files: [
      ...['options', 'servers', 'unique', 'issued', 'handles', 'names', 'calls', 'shared'],
      ...['submission', 'question', 'status', 'watch', 'ping', 'background', 'client'],
    ],
    imports: ['floor', 'protocol', 'transport'],
  },
  worker: {
    files: ['options', 'abort', 'requests', 'link', 'job', 'lane', 'session', 'task', 'dispatcher', 'worker'],
    imports: ['floor', 'protocol', 'transport'],
  },
  admin: {
    files: [],
    imports: [
      ...['floor', 'protocol/text'],
      ...['transport/address', 'transport/backoff', 'transport/deadlines', 'transport/socket'],
    ],
  },
  server: {
    files: [
      ...['heap', 'job', 'worker', 'table', 'queue', 'handles', 'options'],
      ...['faults', 'session', 'requests', 'commands', 'snapshot', 'waits', 'server'],
    ],
    imports: ['floor', 'protocol'],
  },
  typed: {
    folder: '',
    files: ['typed'],
    imports: ['floor', 'client/client', 'worker/worker'],
  },
  index: {
    folder: '',
    files: ['index'],
    imports: ['floor', 'protocol', 'transport', 'client', 'worker', 'admin', 'typed'],
  },
  cli: {
    files: ['command', 'demo', 'serve', 'main'],
    imports: ['floor', 'index', 'server/server'],
  },
};

/**
 * What only some files may import from outside: sockets, clock, timers and random bytes come through src/runtime.ts, where
 * a simulation replaces them. Of node:crypto, eslint lets the others have the hashes alone.
 */
const outside = {
  net: ['runtime', 'transport/address'],
  'tls|dgram|dns|dns/promises|http|http2|https': ['runtime'],
  'timers|timers/promises|perf_hooks': ['runtime'],
  crypto: ['runtime', 'client/unique', 'server/queue'],
};

/**
 * 'protocol' -> 'protocol/packet', 'protocol/arguments', ...; a single file stands for itself.
 * @param {string} name
 * @returns {string[]}
 */
function filesOf(name) {
  const room = house[name];
  if (room === undefined) return [name];
  const folder = room.folder ?? `${name}/`;
  return room.files.map((file) => folder + file);
}

/** @param {string} file */
const pathOf = (file) => `^src/${file}[.]ts$`;
const everyFile = Object.keys(house).flatMap(filesOf);

const layers = Object.entries(house).flatMap(([name, room]) =>
  filesOf(name).map((file, position, own) => {
    const before = own.slice(0, position);
    return {
      name: `layers: ${file}`,
      comment: `Of src, it may import only: ${[...before, ...room.imports].join(', ') || 'nothing'}.`,
      severity: 'error',
      from: { path: pathOf(file) },
      to: { path: '^src/', pathNot: [...before, ...room.imports.flatMap(filesOf)].map(pathOf) },
    };
  }),
);

const borders = Object.entries(outside).map(([modules, files]) => ({
  name: `outside: node:${modules}`,
  comment: `Only ${files.join(', ')} may import this (for types all may): the outside world comes through src/runtime.ts.`,
  severity: 'error',
  from: { path: '^src/', pathNot: files.map(pathOf) },
  to: { path: `^(node:)?(${modules})$`, dependencyTypes: ['core'], dependencyTypesNot: ['type-only'] },
}));

const unlisted = {
  comment: 'A file has no place in the house: add it to the table at the top of .dependency-cruiser.cjs.',
  severity: 'error',
};
const notListed = { path: '^src/', pathNot: everyFile.map(pathOf) };

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no cycles',
      comment: 'Modules that import each other, be it for a type, cannot be read or tested one at a time.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...layers,
    ...borders,
    { name: 'unlisted file', ...unlisted, from: notListed, to: {} },
    { name: 'unlisted file, imported', ...unlisted, from: {}, to: notListed },
    { name: 'unlisted file, alone', ...unlisted, from: { orphan: true, ...notListed }, to: {} },
    {
      name: 'src stands alone',
      comment: 'The package is src, Node and the two runtime dependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { pathNot: ['^src/', '^node_modules/(@types/)?(node|debug|uuid)/'], dependencyTypesNot: ['core'] },
    },
    {
      name: 'unresolvable',
      comment: 'Nothing is there under this name. (What the bench uses is installed in its own folder, when it runs.)',
      severity: 'error',
      from: { pathNot: '^bench/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    // Projects of users, which have the package and their tools installed.
    exclude: { path: '^test/reach/fixtures/.+/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
