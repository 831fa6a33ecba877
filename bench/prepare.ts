/** What must be there before anything is measured, and what can be left out. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const root = path.join(here, '..');

/** Where a contender in C is when it is compiled. */
export const programOf = (name: string): string => path.join(here, 'build', name);

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error });
}

function isInstalled(command: string): boolean {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}

function isOlder(file: string, than: string): boolean {
  return !existsSync(file) || statSync(file).mtimeMs < statSync(than).mtimeMs;
}

/** Whether there is a libgearman to compile against. */
function compile(): boolean {
  mkdirSync(path.join(here, 'build'), { recursive: true });
  return ['libgearman', 'libgearman-worker'].every((name) => {
    const source = path.join(here, 'contenders', `${name}.c`);
    const args = ['-O2', '-o', programOf(name), source, '-lgearman', '-lm'];
    return spawnSync('gcc', args, { stdio: 'ignore' }).status === 0;
  });
}

/** Builds the package, installs the other clients and compiles those in C; tells what is missing. */
export function prepare(): { hasGearmand: boolean; hasLibgearman: boolean } {
  run('npm', ['run', 'build'], root);
  const lock = path.join(here, 'package-lock.json');
  if (isOlder(path.join(here, 'node_modules', '.package-lock.json'), lock)) run('npm', ['ci'], here);
  const found = { hasGearmand: isInstalled('gearmand'), hasLibgearman: compile() };
  if (!found.hasGearmand) console.log('Left out: gearmand (apt-get install gearman-job-server).');
  if (!found.hasLibgearman) console.log('Left out: libgearman (apt-get install gcc libgearman-dev).');
  return found;
}
