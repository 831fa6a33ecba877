// A user's project in a folder of its own, with the packed package installed by npm.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';

const fixtures = path.join(import.meta.dirname, 'fixtures');

const LAST_LINES = 150;

/**
 * Runs a command to its end, and resolves to what it printed. Rejects, with the last lines, when it fails or takes too long.
 * @param {string} cwd
 * @param {readonly string[]} command
 * @param {{ env?: NodeJS.ProcessEnv, timeoutMs?: number }} options
 * @returns {Promise<string>} standard output
 */
export function run(cwd, [file = '', ...args], { env = {}, timeoutMs = 120_000 } = {}) {
  const options = {
    cwd,
    // What this process was given must not steer the ones under test.
    env: {
      ...process.env,
      NODE_OPTIONS: undefined,
      DEBUG: undefined,
      GEARMAN_SERVERS: undefined,
      NO_COLOR: '1',
      ...env,
    },
    timeout: timeoutMs,
    killSignal: /** @type {const} */ ('SIGKILL'),
    maxBuffer: Infinity,
  };
  return new Promise((resolve, reject) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
        return;
      }
      const reason = error.killed ? `was not done in ${timeoutMs} ms` : `ended with ${error.code ?? error.signal}`;
      const lines = `${stdout}${stderr}`.split('\n').slice(-LAST_LINES);
      reject(new Error([`${[file, ...args].join(' ')} ${reason}`, ...lines].join('\n')));
    });
  });
}

/**
 * Installs packages as npm does for anybody; no script of theirs runs.
 * @param {string} folder
 * @param {readonly string[]} packages
 */
export async function install(folder, packages) {
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--prefer-offline'];
  await run(folder, ['npm', 'install', ...quiet, ...packages], { timeoutMs: 600_000 });
}

/** See the head of this file. */
export class Project {
  /** @param {string} folder */
  constructor(folder) {
    this.folder = folder;
  }

  /**
   * Starts as a copy of a fixture, with what its package.json asks for and these packages.
   * @param {string} folder
   * @param {string} fixture
   * @param {readonly string[]} packages
   */
  static async create(folder, fixture, packages) {
    mkdirSync(folder);
    cpSync(path.join(fixtures, fixture), folder, { recursive: true });
    cpSync(path.join(fixtures, 'job-server.js'), path.join(folder, 'job-server.js'));
    await install(folder, packages);
    return new Project(folder);
  }

  /**
   * Runs a command in the project.
   * @param {readonly string[]} command
   * @param {{ env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options]
   */
  run(command, options) {
    return run(this.folder, command, options);
  }

  /**
   * Runs a command that fails, and resolves to what it printed.
   * @param {readonly string[]} command
   */
  async runToFailure(command) {
    const outcome = await this.run(command).catch((/** @type {Error} */ error) => error);
    assert.ok(outcome instanceof Error, `${command.join(' ')} did not fail:\n${outcome}`);
    return outcome.message;
  }

  /**
   * The path of a file in the project.
   * @param {string[]} parts
   */
  path(...parts) {
    return path.join(this.folder, ...parts);
  }
}
