/** A raw socket to a job server: says anything, and waits for what comes, one thing at a time. */
import assert from 'node:assert/strict';
import * as net from 'node:net';
import { frame, readItem, request, type Item, type Type } from './packets.js';

/** How long anything may take to come. A test that waits so long has failed. */
const PATIENCE_MS = 8000;

const END = 'the end of the connection';
type Arrival = Item | typeof END | Error;

/** A job as a worker is given it. */
export interface Assignment {
  readonly handle: string;
  readonly fn: string;
  readonly unique: string;
  readonly workload: string;
}

/** See the head of this file. All strings are latin1. */
export class Peer {
  readonly #socket: net.Socket;
  readonly #arrivals: Arrival[] = [];
  #chunks: Buffer[] = [];
  #onArrival: (() => void) | undefined;
  #echoes = 0;

  /** Connects on first use. */
  constructor(port: number) {
    this.#socket = net.connect(port, '127.0.0.1').setNoDelay();
    this.#socket.on('data', (chunk: Buffer) => {
      this.#read(chunk);
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#arrive(END);
    });
  }

  /** Sends a request. */
  send(type: Type, ...args: string[]): this {
    return this.write(request(type, ...args));
  }

  /** Sends a line of the text protocol. */
  say(line: string): this {
    return this.write(`${line}\r\n`);
  }

  /** Sends bytes. */
  write(bytes: Buffer | string): this {
    this.#socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** The next packet or line. */
  async next(): Promise<Item> {
    const arrival = await this.#arrival();
    if (arrival instanceof Error) throw arrival;
    if (arrival === END) throw new Error('the job server closed the connection');
    return arrival;
  }

  /** The next thing must be this. */
  async expect(type: Type | 'TEXT', ...args: string[]): Promise<void> {
    assert.deepEqual(await this.next(), [type, ...args]);
  }

  /** The next thing must be an ERROR with that code; resolves with its text. */
  async expectError(code: string): Promise<string> {
    const [type, given, text = ''] = await this.next();
    assert.deepEqual([type, given], ['ERROR', code]);
    return text;
  }

  /** The next line of text, which must be there. */
  async line(): Promise<string> {
    const [type, line = ''] = await this.next();
    assert.equal(type, 'TEXT');
    return line;
  }

  /** The lines of a list, without what ends them. */
  async list(): Promise<string[]> {
    const lines: string[] = [];
    for (let line = await this.line(); line !== '.\n'; line = await this.line()) {
      assert.match(line, /[^\r]\n$|^\n$/);
      lines.push(line.slice(0, -1));
    }
    return lines;
  }

  /**
   * Whatever was sent on this connection has been carried out, and nothing was said to it that was not awaited: the answer to a question
   * that is put now comes first.
   */
  async quiet(): Promise<void> {
    const text = `quiet ${++this.#echoes}`;
    this.send('ECHO_REQ', text);
    await this.expect('ECHO_RES', text);
  }

  /** The job server closes the connection, and says nothing before. */
  async closed(): Promise<void> {
    const arrival = await this.#arrival();
    if (arrival instanceof Error) throw arrival;
    assert.equal(arrival, END);
  }

  /** Says nothing more, and listens on. */
  endWrite(): void {
    this.#socket.end();
  }

  /** What was sent is not answered, and may end the connection. */
  async ignored(): Promise<void> {
    const arrival = await this.send('ECHO_REQ', 'ignored').#arrival();
    if (arrival !== END) assert.deepEqual(arrival, ['ECHO_RES', 'ignored']);
  }

  /** Leaves. */
  close(): void {
    this.#socket.destroy();
  }

  /** Submits a job; resolves with its handle. */
  async submit(type: Type, ...args: string[]): Promise<string> {
    const [answer, handle = ''] = await this.send(type, ...args).next();
    assert.equal(answer, 'JOB_CREATED');
    return handle;
  }

  /** Takes a job, which must be there. */
  async grab(): Promise<Assignment> {
    const [type, handle = '', fn = '', unique = '', workload = ''] = await this.send('GRAB_JOB_UNIQ').next();
    assert.equal(type, 'JOB_ASSIGN_UNIQ');
    return { handle, fn, unique, workload };
  }

  /** There is no job for this worker. */
  async grabNothing(): Promise<void> {
    await this.send('GRAB_JOB_UNIQ').expect('NO_JOB');
  }

  /** Takes jobs until there is none, and ends them: their workloads. */
  async drain(): Promise<string[]> {
    const workloads: string[] = [];
    for (;;) {
      const [type, handle = '', , , workload = ''] = await this.send('GRAB_JOB_UNIQ').next();
      if (type === 'NO_JOB') return workloads;
      assert.equal(type, 'JOB_ASSIGN_UNIQ');
      this.send('WORK_COMPLETE', handle, '');
      workloads.push(workload);
    }
  }

  /** How a job is, by its handle: known, running, numerator and denominator as they are sent. */
  async status(handle: string): Promise<string> {
    const [type, named, ...rest] = await this.send('GET_STATUS', handle).next();
    assert.deepEqual([type, named], ['STATUS_RES', handle]);
    return rest.join(' ');
  }

  /** How a job is, by its unique ID: as {@link status}, and the number of clients that wait. */
  async statusByUnique(unique: string): Promise<string> {
    const [type, named, ...rest] = await this.send('GET_STATUS_UNIQUE', unique).next();
    assert.deepEqual([type, named], ['STATUS_RES_UNIQUE', unique]);
    return rest.join(' ');
  }

  /** Sends a packet with that type number. */
  sendNumber(number: number, body = '', magic = '\0REQ'): this {
    return this.write(frame(number, body, magic));
  }

  #read(chunk: Buffer): void {
    let bytes = Buffer.concat([...this.#chunks, chunk]);
    try {
      for (let found = readItem(bytes); found !== undefined; found = readItem(bytes)) {
        this.#arrive(found.item);
        bytes = bytes.subarray(found.length);
      }
    } catch (error) {
      this.#arrive(error as Error);
      this.#socket.destroy();
    }
    this.#chunks = [bytes];
  }

  #arrive(arrival: Arrival): void {
    this.#arrivals.push(arrival);
    this.#onArrival?.();
  }

  async #arrival(): Promise<Arrival> {
    const arrival = this.#arrivals.shift();
    if (arrival !== undefined) return arrival;
    let timer: NodeJS.Timeout | undefined;
    const arrived = new Promise<void>((resolve, reject) => {
      this.#onArrival = resolve;
      timer = setTimeout(reject, PATIENCE_MS, new Error('the job server said nothing'));
    });
    try {
      await arrived;
    } finally {
      clearTimeout(timer);
      this.#onArrival = undefined;
    }
    return await this.#arrival();
  }
}
