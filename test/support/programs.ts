/** Programs of others that tests run: what is missing is left out, and named, unless everything must be there. */
import { spawnSync } from 'node:child_process';

/** How to find out whether a program is there, and what to install otherwise. */
const PROGRAMS = {
  "PHP's client": {
    command: ['php', '-r', 'exit(class_exists("GearmanClient") ? 0 : 1);'],
    packages: 'php-cli php-gearman',
  },
  "Perl's Gearman::Client": { command: ['perl', '-MGearman::Client', '-e', '1'], packages: 'libgearman-client-perl' },
  'the command gearman': { command: ['gearman', '-H'], packages: 'gearman-tools' },
} as const;

/** Whether tests with the program are to run. Says so where they are left out. */
export function isWanted(program: keyof typeof PROGRAMS): boolean {
  const { command, packages } = PROGRAMS[program];
  const [name, ...args] = command;
  const { error, status } = spawnSync(name, args, { stdio: 'ignore' });
  if ((error === undefined && status === 0) || process.env['REQUIRE_GEARMAND'] === '1') return true;
  console.log(`left out: tests with ${program} (apt-get install ${packages})`);
  return false;
}
