/** The command line, as a process of its own and within a test. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Outside } from '../../src/cli/command.js';
import type { Runtime } from '../../src/runtime.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a command has from outside, and what it writes there. */
export interface Stage extends Outside {
  /** All that was written. */
  readonly text: () => string;
  /** The user wants it to end. */
  readonly interrupt: () => void;
}

/** @param columns - the width of the terminal that it writes to; a pipe by default */
export function stageOf(runtime: Runtime, env: NodeJS.ProcessEnv = {}, columns?: number): Stage {
  let text = '';
  let interrupt = (): void => undefined;
  const interruption = new Promise<void>((resolve) => {
    interrupt = resolve;
  });
  const write = (more: string): void => {
    text += more;
  };
  return {
    out: columns === undefined ? { write } : { write, isTTY: true, columns },
    env,
    runtime,
    interrupted: () => interruption,
    text: () => text,
    interrupt,
  };
}

/** Starts `gearman-client` with these arguments. */
export function startCli(
  t: TestContext,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', DEBUG: '', GEARMAN_SERVERS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  return child;
}

/** Runs `gearman-client` to its end. */
export async function runCli(t: TestContext, args: readonly string[], env?: NodeJS.ProcessEnv) {
  const child = startCli(t, args, env);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: string) => (stdout += text));
  child.stderr.on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
