/** A job server that follows a script: one script for each connection attempt, so that the first one can die at any byte. */
import { once } from 'node:events';
import * as net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { Decoder } from '../../src/protocol/decode.js';
import { encode } from '../../src/protocol/encode.js';
import { PACKET_TYPES, TYPE, nameOfType } from '../../src/protocol/packet.js';
import { Condition } from './condition.js';

/** What a peer does with a connection. Without a script it reads what comes and says nothing. */
export type Script = (connection: PeerConnection, peer: Peer) => void;

/** A request, as a peer read it. */
export interface Received {
  /** The packet type's name, as `SUBMIT_JOB_BG`. */
  readonly name: string;
  readonly args: readonly string[];
  readonly data: Buffer;
}

/** What a job server may say of a job. */
export type PeerStatus = readonly [known: boolean, running: boolean, numerator: number, denominator: number];

const LARGEST_REQUEST = 128 * 1024 * 1024;
const UNKNOWN: PeerStatus = [false, false, 0, 0];

const digit = (flag: boolean): string => (flag ? '1' : '0');

/** JOB_CREATED as bytes. */
export function jobCreated(handle: string): Buffer {
  return encode('RES', TYPE.JOB_CREATED, [handle]);
}

/** STATUS_RES as bytes; {@link UNKNOWN} by default. */
export function statusRes(handle: string, [known, running, ...counts]: PeerStatus = UNKNOWN): Buffer {
  return encode('RES', TYPE.STATUS_RES, [handle, digit(known), digit(running), ...counts.map(String)]);
}

/** STATUS_RES_UNIQUE as bytes. */
export function statusResUnique(
  unique: string,
  [known, running, ...counts]: PeerStatus = UNKNOWN,
  waitingClients = 0,
): Buffer {
  const args = [unique, digit(known), digit(running), ...counts.map(String), String(waitingClients)];
  return encode('RES', TYPE.STATUS_RES_UNIQUE, args);
}

/** ECHO_RES as bytes. */
export function echoRes(data: Uint8Array): Buffer {
  return encode('RES', TYPE.ECHO_RES, [], data);
}

/** ERROR as bytes. */
export function errorPacket(code = 'QUEUE_ERROR', text = 'Job queue is full'): Buffer {
  return encode('RES', TYPE.ERROR, [code, text]);
}

/** One connection that a peer accepted. */
export class PeerConnection {
  readonly socket: net.Socket;
  /** Every request that has come, in order. */
  readonly requests: Received[] = [];
  /** Resolves when the socket is gone. */
  readonly closed: Promise<void>;
  /** Called for each request. */
  onRequest: (request: Received) => void = () => undefined;
  /** Whether the other side's FIN is answered with one. */
  closesItsHalf = true;
  /** What broke the protocol, if anything did. */
  failure: Error | undefined;
  readonly #condition = new Condition();
  readonly #decoder = new Decoder('REQ', LARGEST_REQUEST);
  #isClosed = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.#read(chunk);
    });
    socket.on('end', () => {
      if (this.closesItsHalf) socket.end();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true;
        this.#condition.changed();
        resolve();
      });
    });
  }

  /** The first `count` requests, once they are there. Rejects when the connection ends before that. */
  async received(count: number): Promise<readonly Received[]> {
    await this.#condition.until(() => {
      if (this.requests.length >= count) return true;
      if (!this.#isClosed) return false;
      throw new Error(`the connection ended after ${this.requests.length} of ${count} requests`, {
        cause: this.failure,
      });
    });
    return this.requests.slice(0, count);
  }

  /** The n-th request, the first being 0, once it is there. */
  async request(index: number): Promise<Received> {
    const request = (await this.received(index + 1))[index];
    if (request === undefined) throw new Error(`there is no request ${index}`);
    return request;
  }

  /** The first `count` requests whose names match, once they are there. Rejects when the connection ends before that. */
  async seen(name: string | RegExp, count = 1): Promise<readonly Received[]> {
    const matches = (request: Received): boolean =>
      typeof name === 'string' ? request.name === name : name.test(request.name);
    await this.#condition.until(() => {
      if (this.requests.filter(matches).length >= count) return true;
      if (!this.#isClosed) return false;
      throw new Error(`the connection ended after ${this.names.join(', ')}, without ${count} ${String(name)}`);
    });
    return this.requests.filter(matches).slice(0, count);
  }

  /** Names of the requests that have come. */
  get names(): string[] {
    return this.requests.map(({ name }) => name);
  }

  send(...packets: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(packets));
  }

  /** Sends the bytes one a write, each on its way before the next is handed over. */
  async drip(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) {
      await new Promise<void>((resolve) => {
        this.socket.write(Buffer.of(byte), () => resolve());
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Says that no more comes (FIN), behind what was sent. */
  end(): void {
    this.socket.end();
  }

  /** Drops the connection with a RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Reads no more, as a stopped process: the kernel goes on taking bytes until its buffers are full. */
  freeze(): void {
    this.socket.pause();
  }

  thaw(): void {
    this.socket.resume();
  }

  #read(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk, (packet) => {
        const { args = [] } = PACKET_TYPES[packet.type] ?? {};
        const request = {
          name: nameOfType(packet.type),
          args: args.map((_name, index) => packet.utf8(index)),
          data: packet.data,
        };
        this.requests.push(request);
        this.onRequest(request);
      });
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      this.socket.destroy();
    }
    this.#condition.changed();
  }
}

/** Acknowledges so many submissions, with the handles `H:from` and on. */
export function acknowledge(connection: PeerConnection, from: number, count: number): void {
  connection.send(...Array.from({ length: count }, (_, index) => jobCreated(`H:${from + index}`)));
}

/** Accepts connections and never reads nor answers. */
export const freeze: Script = (connection) => {
  connection.freeze();
};

/** Accepts connections and drops them at once. */
export const hangUp: Script = (connection) => {
  connection.reset();
};

/** Reads a request and drops the connection. */
export const dieOnRequest: Script = (connection) => {
  connection.onRequest = () => {
    connection.reset();
  };
};

/** Answers as a job server without workers does; what it says of jobs is in {@link Peer.statuses}. */
export const serve: Script = (connection, peer) => {
  connection.onRequest = (request) => {
    const answer = peer.answer(request);
    if (answer === undefined) connection.reset();
    else connection.send(answer);
  };
};

/** Knows nothing but SUBMIT_JOB_BG and GET_STATUS, as small mocks do, and drops who sends anything else. */
export const serveTheLeast: Script = (connection, peer) => {
  connection.onRequest = (request) => {
    const answer = ['SUBMIT_JOB_BG', 'GET_STATUS'].includes(request.name) ? peer.answer(request) : undefined;
    if (answer === undefined) connection.reset();
    else connection.send(answer);
  };
};

/** Does what `first` says for the first requests of a connection, and then what `then` says. */
export function after(count: number, then: Script): Script {
  return (connection, peer) => {
    serve(connection, peer);
    const answer = connection.onRequest;
    connection.onRequest = (request) => {
      if (connection.requests.length <= count) {
        answer(request);
        return;
      }
      connection.onRequest = () => undefined;
      then(connection, peer);
      connection.onRequest(request);
    };
  };
}

/** See the head of this file. */
export class Peer {
  /** The connections that were accepted, in order. */
  readonly connections: PeerConnection[] = [];
  /** What it knows of jobs, by handle and by unique ID. */
  readonly statuses = new Map<string, PeerStatus>();
  readonly port: number;
  readonly #scripts: Script[];
  readonly #condition = new Condition();
  /** The test goes on while the port is closed, too. */
  readonly #hold = setInterval(() => undefined, 60_000);
  #server: net.Server;
  #jobs = 0;

  private constructor(server: net.Server, scripts: Script[]) {
    this.#server = server;
    this.#scripts = scripts;
    this.port = (server.address() as AddressInfo).port;
    this.#accept();
  }

  /** Listens on a free port until the test is over; the n-th connection gets the n-th script, the last one all that follow. */
  static async start(t: TestContext, ...scripts: Script[]): Promise<Peer> {
    const peer = new Peer(await listen(0), scripts);
    t.after(() => peer.#stop());
    return peer;
  }

  /** The name that clients call it by. */
  get name(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The n-th connection, the first being 0, once it is there. */
  async connection(index: number): Promise<PeerConnection> {
    await this.#condition.until(() => this.connections.length > index);
    const connection = this.connections[index];
    if (connection === undefined) throw new Error(`there is no connection ${index}`);
    return connection;
  }

  /** All requests that came on any connection, in order of connections. */
  get requests(): Received[] {
    return this.connections.flatMap(({ requests }) => requests);
  }

  /** Names of {@link requests}. */
  get names(): string[] {
    return this.requests.map(({ name }) => name);
  }

  /** What connections get from now on. */
  follow(...scripts: Script[]): void {
    this.#scripts.splice(0, this.#scripts.length, ...this.connections.map(() => serve), ...scripts);
  }

  /** From now on connection attempts are refused; those that are there live on. */
  refuse(): void {
    this.#server.close();
  }

  /** Takes connections again, on the same port. */
  async reopen(): Promise<void> {
    this.#server = await listen(this.port);
    this.#accept();
  }

  /** Dies as a process does that is killed: every connection and the port. */
  crash(): void {
    this.refuse();
    for (const connection of this.connections) connection.reset();
  }

  /** What a job server without workers answers; nothing for what a client does not send. */
  answer({ name, args: [first = ''], data }: Received): Buffer | undefined {
    if (name.startsWith('SUBMIT_')) return jobCreated(`H:peer:${++this.#jobs}`);
    if (name === 'GET_STATUS') return statusRes(first, this.statuses.get(first));
    if (name === 'GET_STATUS_UNIQUE') return statusResUnique(first, this.statuses.get(first));
    return name === 'ECHO_REQ' ? echoRes(data) : undefined;
  }

  #accept(): void {
    this.#server.on('connection', (socket: net.Socket) => {
      const script = this.#scripts[Math.min(this.connections.length, this.#scripts.length - 1)];
      const connection = new PeerConnection(socket);
      this.connections.push(connection);
      script?.(connection, this);
      this.#condition.changed();
    });
  }

  async #stop(): Promise<void> {
    clearInterval(this.#hold);
    this.#server.close();
    for (const { socket } of this.connections) socket.destroy();
    await Promise.all(this.connections.map(({ closed }) => closed));
  }
}

async function listen(port: number): Promise<net.Server> {
  // Whether the other side's FIN is answered is the connection's choice.
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
