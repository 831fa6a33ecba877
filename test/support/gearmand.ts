/** Real job servers on free ports, and what they say of themselves. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';

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

/** A gearmand of this test's own. */
export class Gearmand {
  readonly port: number;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.#args = args;
  }

  /** Starts one, and ends it behind the test. */
  static async start(cleaner: Cleaner, ...args: string[]): Promise<Gearmand> {
    const gearmand = new Gearmand(await freePort(), args);
    cleaner.after(() => gearmand.kill());
    await gearmand.restart();
    return gearmand;
  }

  /** Its name in a pool. */
  get name(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts it (again) on its port; resolves when it answers. */
  async restart(): Promise<void> {
    const options = ['-L', '127.0.0.1', '-l', 'none', '-p', String(this.port), ...this.#args];
    const child = spawn('gearmand', options, { stdio: 'ignore' });
    this.#process = child;
    while (!(await this.#answers())) {
      if (child.exitCode !== null) throw new Error(`gearmand ended with ${child.exitCode}`);
    }
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Freezes it: it still accepts connections, and answers nothing. */
  stop(): void {
    this.#process?.kill('SIGSTOP');
  }

  /** Takes {@link stop} back. */
  continue(): void {
    this.#process?.kill('SIGCONT');
  }

  /** The lines of the answer to a command of the text protocol. */
  async ask(command: string): Promise<string[]> {
    const socket = net.connect(this.port, '127.0.0.1');
    socket.write(`${command}\r\n`);
    let text = '';
    const isList = /^(status|show|workers|prioritystatus)/.test(command);
    for await (const chunk of socket) {
      text += String(chunk);
      if (isList ? /(^|\n)\.\n$/.test(text) : text.endsWith('\n')) break;
    }
    return text.split('\n').filter((line) => line !== '' && line !== '.');
  }

  /** How many jobs of a function it holds, queued or running. */
  async countJobs(fn: string): Promise<number> {
    const line = (await this.ask('status')).find((each) => each.startsWith(`${fn}\t`));
    return Number(line?.split('\t')[1] ?? 0);
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.ask('version')).length > 0;
    } catch {
      return false;
    }
  }
}
