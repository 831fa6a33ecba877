/** Other people's clients and workers, run as programs. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Peer, type Assignment } from '../conformance/peer.js';
import { isWanted } from './programs.js';

/** Runs a program until it ends by itself. */
export const run = promisify(execFile);

/** Bytes, as the scripts read and write them. */
export const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');

/** A script of the integration tests. */
export const script = (file: string): string => fileURLToPath(new URL(`../integration/${file}`, import.meta.url));

/** A job server as a pool names it. */
export const server = (port: number): string => `127.0.0.1:${port}`;

/** A job server as libgearman's commands want it. */
export const options = (port: number): string[] => ['-h', '127.0.0.1', '-p', String(port)];

/** A program that is run here. */
export type Program = 'php' | 'perl' | 'gearman';

/** Those that are there. Says what is left out. */
export const PROGRAMS: readonly Program[] = [
  ...(isWanted("PHP's client") ? ['php' as const] : []),
  ...(isWanted("Perl's Gearman::Client") ? ['perl' as const] : []),
  ...(isWanted('the command gearman') ? ['gearman' as const] : []),
];

/** Does a job of the function `reverse`; resolves with the result as hex. */
export const CLIENTS: Readonly<Record<Program, (port: number, workload: string) => Promise<string>>> = {
  php: async (port, workload) => {
    const { stdout } = await run('php', [script('php/normal.php'), server(port), 'reverse', hex(workload)]);
    return stdout.replace(/^complete |\n$/g, '');
  },
  perl: async (port, workload) => {
    const { stdout } = await run('perl', [script('perl/tasks.pl'), server(port), 'reverse', hex(workload)]);
    return stdout.replace(/^(status .*\n)*complete |\n$/g, '');
  },
  gearman: async (port, workload) => {
    const child = spawn('gearman', [...options(port), '-f', 'reverse'], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(Buffer.from(workload, 'latin1'));
    const closed = once(child, 'close');
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
    assert.deepEqual(await closed, [0, null]);
    // It writes progress among the bytes of the result.
    return hex(
      Buffer.concat(chunks)
        .toString('latin1')
        .replaceAll(/\d+% Complete\n/g, ''),
    );
  },
};

const WORKERS: Readonly<Record<Program, (port: number) => [string, ...string[]]>> = {
  php: (port) => ['php', script('php/worker.php'), server(port)],
  perl: (port) => ['perl', script('perl/worker.pl'), server(port)],
  gearman: (port) => [
    ...(['gearman', '-w', ...options(port), '-f', 'reverse', '--'] as const),
    ...['perl', '-0777', '-ne', 'print scalar reverse'],
  ],
};

/** A connection that is closed behind the test. */
export function peerOf(t: TestContext, port: number): Peer {
  const peer = new Peer(port);
  t.after(() => {
    peer.close();
  });
  return peer;
}

/** A program that submits a job in the background and says how it is whenever it is asked. */
export interface Asker {
  readonly handle: string;
  /** How the job is, as `known, running, 3/14`. */
  readonly ask: () => Promise<string>;
  /** Ends it; resolves to its exit code and signal. */
  readonly end: () => Promise<unknown[]>;
}

/** Starts one; resolves when it has submitted the job. */
export async function startAsker(t: TestContext, program: string, args: readonly string[]): Promise<Asker> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  return {
    handle: await next(),
    ask: () => {
      child.stdin.write('\n');
      return next();
    },
    end: () => {
      child.stdin.end();
      return once(child, 'exit');
    },
  };
}

/** Starts a program's worker of the function `reverse`; resolves when the job server has it. */
export async function startWorker(t: TestContext, program: Program, port: number): Promise<void> {
  const [command, ...args] = WORKERS[program](port);
  const worker = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  t.after(() => worker.kill('SIGKILL'));
  // The one of PHP takes a step for each line.
  worker.stdin.write('\n'.repeat(1000));
  const admin = peerOf(t, port);
  while (!(await admin.say('status').list()).some((line) => /^reverse\t\d+\t\d+\t1$/.test(line)));
}

/** What {@link taken} comes to. */
export interface Taken {
  readonly worker: Peer;
  readonly job: Assignment;
  /** What the program has written when it has ended. */
  readonly ended: Promise<{ stdout: string; stderr: string }>;
}

/** Runs a program that does a job of the function `f`, which a worker on a raw socket takes. */
export async function taken(t: TestContext, port: number, command: string, args: string[]): Promise<Taken> {
  const worker = peerOf(t, port);
  await worker.send('CAN_DO', 'f').send('PRE_SLEEP').quiet();
  const ended = run(command, args).catch((error: unknown) => error as { stdout: string; stderr: string });
  await worker.expect('NOOP');
  return { worker, job: await worker.grab(), ended };
}
