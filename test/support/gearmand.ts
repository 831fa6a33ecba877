/** Real job servers on free ports, and what they say of themselves. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** What cleans up behind it: a test's context, or something of one's own. */
export interface Cleaner {
  after(clean: () => void | Promise<void>): void;
}

/** Text commands whose answer is a list, which a line with a single dot ends. */
const IS_LIST = /^(status|prioritystatus|workers|show)\b/;

/** A gearmand of this test's own. */
export class Gearmand {
  readonly port: number;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  /** Starts one, with more of its options if need be, and ends it behind the test. */
  static async start(cleaner: Cleaner, ...args: string[]): Promise<Gearmand> {
    for (let attempt = 1; ; attempt++) {
      const gearmand = new Gearmand(await freePort(), args);
      cleaner.after(() => gearmand.kill());
      try {
        await gearmand.restart();
        return gearmand;
      } catch (error) {
        // Somebody else may have taken the port in the meantime.
        if (attempt === 3) throw error;
      }
    }
  }

  /** Its name in a pool. */
  get name(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Its process, while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it (again) on its port; resolves when it answers. */
  async restart(): Promise<void> {
    const options = ['-L', '127.0.0.1', '-l', 'none', '-P', '', '-p', String(this.port), ...this.#args];
    const child = spawn('gearmand', options, { stdio: 'ignore' });
    this.#process = child;
    // Also when this process ends early: a job server that nobody knows of would stay for ever.
    process.once('exit', this.#killNow);
    await once(child, 'spawn');
    while (!(await this.#answers(`OK ${child.pid}`))) {
      if (hasEnded(child)) throw new Error(`gearmand ended with ${child.exitCode ?? child.signalCode}`);
    }
  }

  /** Ends it at once, as a power cut would; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    process.off('exit', this.#killNow);
    if (child === undefined || hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Freezes it: it still accepts connections, and answers nothing from then on. Resolves when each of its threads stands still. */
  async stop(): Promise<void> {
    this.#process?.kill('SIGSTOP');
    while (this.#hasThreadThatRuns()) await setImmediate();
  }

  #hasThreadThatRuns(): boolean {
    const folder = `/proc/${String(this.#process?.pid)}/task`;
    // Where there is no such folder, as on macOS, it has to be believed.
    if (!existsSync(folder)) return false;
    // "PID (name) STATE ...", T for one that is stopped.
    return readdirSync(folder).some((id) => !readFileSync(`${folder}/${id}/stat`, 'utf8').includes(') T '));
  }

  /** Takes {@link stop} back. */
  continue(): void {
    this.#process?.kill('SIGCONT');
  }

  /** The lines of the answer to a command of the text protocol. */
  async ask(command: string): Promise<string[]> {
    const socket = net.connect(this.port, '127.0.0.1').setEncoding('utf8');
    socket.write(`${command}\r\n`);
    const isList = IS_LIST.test(command);
    let text = '';
    for await (const chunk of socket) {
      text += String(chunk);
      if (isList ? /(^|\n)\.\n$/.test(text) : text.endsWith('\n')) break;
    }
    const lines = text.split('\n').slice(0, -1);
    return isList ? lines.slice(0, -1) : lines;
  }

  /** What it holds of a function: jobs that are queued or running, those that are running, and workers. */
  async status(fn: string): Promise<{ jobs: number; running: number; workers: number }> {
    const line = (await this.ask('status')).find((each) => each.startsWith(`${fn}\t`));
    const [jobs = 0, running = 0, workers = 0] = line?.split('\t').slice(1).map(Number) ?? [];
    return { jobs, running, workers };
  }

  /** Resolves when it knows no worker of a function any more: that one has closed its socket it learns a moment later. */
  async untilLeft(fn: string): Promise<void> {
    while ((await this.status(fn)).workers > 0);
  }

  /** How many jobs of a function it holds, queued or running. */
  async countJobs(fn: string): Promise<number> {
    return (await this.status(fn)).jobs;
  }

  /** The handles of all jobs that it holds. */
  async handles(): Promise<string[]> {
    return (await this.ask('show jobs')).map((line) => line.replace(/\t.*/, ''));
  }

  /** The unique IDs of all jobs that it holds. */
  uniqueIds(): Promise<string[]> {
    return this.ask('show unique jobs');
  }

  readonly #killNow = (): void => {
    this.#process?.kill('SIGKILL');
  };

  /** Whether it answers, and not another one on its port. */
  async #answers(pid: string): Promise<boolean> {
    try {
      return (await this.ask('getpid'))[0] === pid;
    } catch {
      return false;
    }
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
