/** What the commands of `gearman-client` have in common: what they get from outside, and how they read what was typed. */
import { parseArgs } from 'node:util';
import type { Runtime } from '../runtime.js';

/** Where a command writes to. */
interface Output {
  write(text: string): unknown;
  /** A terminal, where a line can be written over. */
  readonly isTTY?: boolean;
  /** The width of the terminal, in characters. */
  readonly columns?: number;
}

/** Everything that a command has from outside. */
export interface Outside {
  readonly out: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly runtime: Runtime;
  /** Resolves when the user wants it to end. A command that does not ask is just ended. */
  readonly interrupted: () => Promise<void>;
}

/** A command: does what it is for, and ends. What it throws is said to the user. */
export interface Command {
  /** What it does, in a line. */
  readonly summary: string;
  /** What `--help` says. */
  readonly help: string;
  readonly run: (args: readonly string[], outside: Outside) => Promise<void>;
}

/** The command line is wrong; the message says how. */
export class UsageError extends Error {}

/**
 * Reads options that have a value each, as in `--listen host:port`. Nothing else may stand there.
 * @throws UsageError
 */
export function readOptions<Name extends string>(
  args: readonly string[],
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' } as const]));
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values as Partial<Record<Name, string>>;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
