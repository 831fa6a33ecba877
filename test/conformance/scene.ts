/** What a case has at hand: a job server, names that are its own, and peers that leave when it ends. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Cleaner } from '../support/gearmand.js';
import type { Difference } from './differences.js';
import { Peer } from './peer.js';
import type { ServerOptions, Target } from './targets.js';

/** One thing that a job server must do. */
export type Run = (scene: Scene) => Promise<void>;

/** Cases by what they demand. */
export type Theme = Readonly<Record<string, Run>>;

/** The servers of a target that have been started, one for all cases with the same options. */
export class Servers implements Cleaner {
  readonly target: Target;
  readonly #ports = new Map<string, Promise<number>>();
  readonly #ends: (() => void | Promise<void>)[] = [];

  constructor(target: Target) {
    this.target = target;
  }

  after(end: () => void | Promise<void>): void {
    this.#ends.push(end);
  }

  /** Ends them. */
  async close(): Promise<void> {
    for (const end of this.#ends) await end();
  }

  /** The port of a server with these options. */
  port(options: ServerOptions): Promise<number> {
    const key = JSON.stringify(options);
    const port = this.#ports.get(key) ?? this.target.start(options, this);
    this.#ports.set(key, port);
    return port;
  }
}

/** See the head of this file. */
export class Scene {
  readonly #servers: Servers;
  readonly #cleaner: Cleaner;
  readonly #options: ServerOptions;
  readonly #id = randomUUID().slice(0, 8);
  /** A function that no other case knows. */
  readonly fn: string = this.name('f');
  /** A unique ID that no other case knows. */
  readonly unique: string = this.name('u');

  constructor(servers: Servers, cleaner: Cleaner, options: ServerOptions = {}) {
    this.#servers = servers;
    this.#cleaner = cleaner;
    this.#options = options;
  }

  /** The same on a server with these options. */
  with(options: ServerOptions): Scene {
    return new Scene(this.#servers, this.#cleaner, options);
  }

  /** Whether the job server does that, against what the suite demands. */
  differs(difference: Difference): boolean {
    return this.#servers.target.differs(difference);
  }

  /** A name that no other case knows. */
  name(what: string): string {
    return `${what}-${this.#id}`;
  }

  /** A connection. */
  async peer(): Promise<Peer> {
    const peer = new Peer(await this.#servers.port(this.#options));
    this.#cleaner.after(() => {
      peer.close();
    });
    return peer;
  }

  /** A connection that can do functions; {@link fn} by default. The job server knows when this resolves. */
  async worker(...functions: string[]): Promise<Peer> {
    const peer = await this.peer();
    for (const fn of functions.length > 0 ? functions : [this.fn]) peer.send('CAN_DO', fn);
    await peer.quiet();
    return peer;
  }

  /** A client and a worker of {@link fn}. */
  async pair(): Promise<[client: Peer, worker: Peer]> {
    return [await this.peer(), await this.worker()];
  }

  /** A client, a worker of {@link fn}, and the handle of a job that runs there, submitted by the client in the foreground. */
  async running(workload = ''): Promise<{ client: Peer; worker: Peer; handle: string }> {
    const [client, worker] = await this.pair();
    const handle = await client.submit('SUBMIT_JOB', this.fn, this.unique, workload);
    assert.equal((await worker.grab()).handle, handle);
    return { client, worker, handle };
  }

  /** A peer leaves; resolves when the job server has noticed, its id being in the list of workers until then. */
  async leave(peer: Peer): Promise<void> {
    const id = this.name(`leaver-${randomUUID().slice(0, 8)}`);
    await peer.send('SET_CLIENT_ID', id).quiet();
    peer.close();
    const watcher = await this.peer();
    while ((await watcher.say('workers').list()).some((line) => line.includes(` ${id} `)));
    watcher.close();
  }

  /** The lines of a list that are about this case. */
  async lines(command: string, about: string = this.#id): Promise<string[]> {
    const peer = await this.peer();
    const lines = await peer.say(command).list();
    peer.close();
    return lines.filter((line) => line.includes(about));
  }

  /** What `status` says of a function: jobs, running ones, workers. */
  async counts(fn: string = this.fn): Promise<string> {
    const [line = ''] = await this.lines('status', `${fn}\t`);
    return line.split('\t').slice(1).join(' ');
  }
}
