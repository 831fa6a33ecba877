/** A client that waits for the results of its jobs, on a bare socket. */
import * as net from 'node:net';
import { Decoder } from '../../src/protocol/decode.js';
import { encode, type Argument } from '../../src/protocol/encode.js';
import type { Packet } from '../../src/protocol/incoming.js';

// The protocol's numbers, written out: this is the other side, and shares nothing with the worker but how packets are cut.
const TYPE = { SUBMIT_JOB: 7, JOB_CREATED: 8, OPTION_REQ: 26 };
const UPDATES = new Map([
  [12, 'status'],
  [28, 'data'],
  [29, 'warning'],
] as const);
const ENDS = new Map([
  [13, 'complete'],
  [14, 'fail'],
  [25, 'exception'],
] as const);

/** How a job ended for its client; `lost` if the connection died before that. */
export type End = 'complete' | 'fail' | 'exception' | 'lost';

/** What a client was told of its job. */
export interface Outcome {
  readonly end: End;
  /** Result or exception. */
  readonly data: Buffer;
  /** What came before the end, as `data: text`, in order. */
  readonly updates: readonly string[];
}

/** A job that a server has acknowledged. */
export interface ForegroundJob {
  readonly handle: string;
  /** Never rejects. */
  readonly outcome: Promise<Outcome>;
}

interface Listener {
  readonly updates: string[];
  readonly resolve: (outcome: Outcome) => void;
}

/** See the head of this file. */
export class ForegroundClient {
  readonly #socket: net.Socket;
  readonly #decoder = new Decoder('RES', 128 * 1024 * 1024);
  readonly #onCreated: ((job: ForegroundJob) => void)[] = [];
  readonly #listeners = new Map<string, Listener>();

  /** @param options - `exceptions`: to be told of them, not only of a failure */
  constructor(port: number, options: { exceptions?: boolean } = {}) {
    this.#socket = net.connect(port, '127.0.0.1').setNoDelay();
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      for (const handle of this.#listeners.keys()) this.#end(handle, 'lost');
    });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk, (packet) => {
        this.#onPacket(packet);
      });
    });
    if (options.exceptions === true) this.#socket.write(encode('REQ', TYPE.OPTION_REQ, ['exceptions']));
  }

  /** Submits a job; resolves when the server has it. */
  submit(fn: string, workload: Argument, unique = ''): Promise<ForegroundJob> {
    return new Promise((resolve) => {
      this.#onCreated.push(resolve);
      this.#socket.write(encode('REQ', TYPE.SUBMIT_JOB, [fn, unique], workload));
    });
  }

  /** Submits a job and waits for its end. */
  async run(fn: string, workload: Argument): Promise<Outcome> {
    const { outcome } = await this.submit(fn, workload);
    return outcome;
  }

  close(): void {
    this.#socket.destroy();
  }

  #onPacket(packet: Packet): void {
    if (packet.type === TYPE.JOB_CREATED) {
      this.#create(packet.latin1(0));
      return;
    }
    const update = UPDATES.get(packet.type as never);
    const end = ENDS.get(packet.type as never);
    if (update === undefined && end === undefined) return;
    // gearmand ends the handle of the failure that stands for an exception with a NUL.
    const handle = packet.latin1(0).replace(/\0$/, '');
    if (end !== undefined) this.#end(handle, end, packet.data);
    else {
      const text = update === 'status' ? `${packet.utf8(1)}/${packet.utf8(2)}` : packet.data.toString();
      this.#listeners.get(handle)?.updates.push(`${String(update)}: ${text}`);
    }
  }

  #create(handle: string): void {
    const outcome = new Promise<Outcome>((resolve) => {
      this.#listeners.set(handle, { updates: [], resolve });
    });
    this.#onCreated.shift()?.({ handle, outcome });
  }

  #end(handle: string, end: End, data: Buffer = Buffer.alloc(0)): void {
    const listener = this.#listeners.get(handle);
    this.#listeners.delete(handle);
    listener?.resolve({ end, data, updates: listener.updates });
  }
}
