// What the checks work with: the packed package, fresh projects that have it installed, runtimes, a job server, the README.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { JobServer } from './fixtures/job-server.js';
import { Project, run } from './project.js';
import { Runtimes } from './runtimes.js';

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {(world: World) => Promise<void>} run  rejects when it fails
 */

export const root = path.join(import.meta.dirname, '..', '..');
const readme = readFileSync(path.join(root, 'README.md'), 'utf8');

/**
 * The code blocks of README.md in a language.
 * @param {string} language
 */
export function readmeBlocks(language) {
  return Array.from(readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms')), ([, code = '']) => code);
}

/**
 * The code block of README.md that starts with this comment.
 * @param {string} title
 */
export function readmeRecipe(title) {
  const recipe = readmeBlocks('js').find((code) => code.startsWith(`// ${title}\n`));
  if (recipe === undefined) throw new Error(`README.md has no recipe "// ${title}"`);
  return recipe;
}

/**
 * Runs a task while a job server runs; the task gets the environment in which that is the default server.
 * @param {(env: { GEARMAN_SERVERS: string }, server: JobServer) => Promise<void>} task
 */
export async function withJobServer(task) {
  const server = await JobServer.start();
  try {
    await task({ GEARMAN_SERVERS: `127.0.0.1:${server.port}` }, server);
  } finally {
    server.stop();
  }
}

/** Everything is below one temporary folder, the projects each in a fresh one. */
export class World {
  #folder = mkdtempSync(path.join(tmpdir(), 'gearman-client-reach-'));
  #runtimes = new Runtimes(this.#folder);
  #tarball = '';
  #projects = 0;

  /** Packs the package, which must be built. */
  static async create() {
    const world = new World();
    const pack = ['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', world.#folder];
    const [packed] = JSON.parse(await run(root, pack));
    world.#tarball = path.join(world.#folder, packed.filename);
    return world;
  }

  /**
   * A fresh project with the package installed.
   * @param {string} fixture  what else is in it
   * @param {readonly string[]} packages  what else is installed, besides what the fixture asks for
   */
  project(fixture, packages = []) {
    this.#projects += 1;
    return Project.create(path.join(this.#folder, `project-${this.#projects}`), fixture, [this.#tarball, ...packages]);
  }

  /**
   * The path of a runtime's program.
   * @param {import('./runtimes.js').Runtime} runtime
   */
  programOf(runtime) {
    return this.#runtimes.programOf(runtime);
  }

  remove() {
    rmSync(this.#folder, { recursive: true });
  }
}
