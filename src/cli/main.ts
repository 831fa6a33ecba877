#!/usr/bin/env node
/** The command `gearman-client`. */
import { createRequire } from 'node:module';
import { describe } from '../errors.js';
import { nodeRuntime } from '../runtime.js';
import { UsageError, type Command, type Outside } from './command.js';
import { demo } from './demo.js';
import { serve } from './serve.js';

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['demo', demo],
  ['serve', serve],
]);

const HELP = ['-h', '--help', 'help'];

const outside: Outside = {
  out: process.stdout,
  env: process.env,
  runtime: nodeRuntime,
  interrupted: () =>
    new Promise((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => resolve());
    }),
};

function usage(): string {
  const commands = Array.from(COMMANDS, ([name, { summary }]) => `  ${name.padEnd(8)}${summary}\n`);
  return `Usage: gearman-client <command> [options]\n\n${commands.join('')}\ngearman-client <command> --help says more.\n`;
}

function version(): string {
  const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
  return `${version}\n`;
}

async function main([name = '', ...args]: readonly string[]): Promise<void> {
  const command = COMMANDS.get(name);
  if (name === '--version') process.stdout.write(version());
  else if (HELP.includes(name)) process.stdout.write(usage());
  else if (command === undefined) throw new UsageError(name === '' ? 'Which command?' : `There is no command ${name}.`);
  else if (args.some((arg) => HELP.includes(arg))) process.stdout.write(`${command.help}\n`);
  else await command.run(args, outside);
}

// Who reads what is printed has seen enough, as head(1) does.
process.stdout.on('error', () => process.exit(1));
try {
  await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError;
  process.stderr.write(isUsage ? `${error.message}\n\n${usage()}` : `gearman-client: ${describe(error)}\n`);
  process.exitCode = isUsage ? 2 : 1;
}
