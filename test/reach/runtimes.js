// What the package runs on: each runtime in the version that is tested, from npm. They come as the packages that hold the program
// for one system, because the packages `node`, `bun` and `deno` need install scripts to find these.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { install } from './project.js';

/**
 * @typedef {object} Runtime
 * @property {string} name
 * @property {string} package  its name on npm
 * @property {string} version
 * @property {string} program  path in the package
 * @property {string[]} args  what stands before a script
 */

const { platform, arch } = process;

/**
 * @param {string} version
 * @returns {Runtime}
 */
function node(version) {
  const prefix = platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
  return { name: `Node ${version}`, package: `${prefix}-${platform}-${arch}`, version, program: 'bin/node', args: [] };
}

/**
 * @param {string} version
 * @returns {Runtime}
 */
function bun(version) {
  const cpu = arch === 'arm64' ? 'aarch64' : arch;
  return {
    name: `Bun ${version}`,
    package: `@oven/bun-${platform}-${cpu}`,
    version,
    program: 'bin/bun',
    args: ['run'],
  };
}

/**
 * @param {string} version
 * @returns {Runtime}
 */
function deno(version) {
  const libc = platform === 'linux' ? '-glibc' : '';
  const args = ['run', '--allow-all'];
  return { name: `Deno ${version}`, package: `@deno/${platform}-${arch}${libc}`, version, program: 'deno', args };
}

/** The newest of each line of Node that is supported, but for the one that the ordinary tests run on. */
export const newestNodes = [node('22.23.3'), node('24.21.0'), node('26.10.0')];

/** The oldest that package.json allows, and the newest. */
export const nodes = [node('20.19.0'), node('22.12.0'), ...newestNodes];

/** The oldest and the newest of all. */
export const outermostNodes = [...nodes.slice(0, 1), ...nodes.slice(-1)];

export const others = [bun('1.4.5'), deno('2.9.6')];

/** Installs runtimes when they are first asked for, below one folder. */
export class Runtimes {
  /** @type {Map<string, Promise<string>>} */
  #programs = new Map();

  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
  }

  /**
   * The path of a runtime's program.
   * @param {Runtime} runtime
   */
  async programOf(runtime) {
    const known = this.#programs.get(runtime.name) ?? this.#install(runtime);
    this.#programs.set(runtime.name, known);
    return known;
  }

  /** @param {Runtime} runtime */
  async #install(runtime) {
    const folder = path.join(this.folder, runtime.name.replace(' ', '-'));
    mkdirSync(folder, { recursive: true });
    // npm would look for a project further up.
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
    await install(folder, [`${runtime.package}@${runtime.version}`]);
    return path.join(folder, 'node_modules', runtime.package, runtime.program);
  }
}
