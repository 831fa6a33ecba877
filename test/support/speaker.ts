/** A peer that speaks to a job server packet by packet, and hears what it answers. */
import { once } from 'node:events';
import * as net from 'node:net';
import { Decoder } from '../../src/protocol/decode.js';
import { encode, type Argument } from '../../src/protocol/encode.js';
import { PACKET_TYPES, nameOfType } from '../../src/protocol/packet.js';
import { Condition } from './condition.js';
import type { Cleaner } from './gearmand.js';

const LARGEST_ANSWER = 128 * 1024 * 1024;

/** The number of a packet type. */
export function typeOf(name: string): number {
  const number = PACKET_TYPES.find((type) => type?.name === name)?.number;
  if (number === undefined) throw new Error(`there is no packet type ${name}`);
  return number;
}

/** A request as bytes. */
export function request(name: string, args: readonly Argument[] = [], data: Argument = ''): Buffer {
  return encode('REQ', typeOf(name), args, data);
}

/** One connection to a job server. */
export class Speaker {
  readonly socket: net.Socket;
  readonly #condition = new Condition();
  readonly #packets: string[] = [];
  readonly #decoder = new Decoder('RES', LARGEST_ANSWER);
  /** Whether lines come instead of packets. */
  #hearsText = false;
  #text = '';
  #isClosed = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      if (this.#hearsText) this.#text += chunk.toString('latin1');
      else this.#decoder.push(chunk, (packet) => this.#packets.push(describe(packet)));
      this.#condition.changed();
    });
    socket.on('close', () => {
      this.#isClosed = true;
      this.#condition.changed();
    });
  }

  /** Connects, and ends the connection behind the test. */
  static async to(cleaner: Cleaner, address: { host: string; port: number }): Promise<Speaker> {
    const socket = net.connect(address);
    socket.setNoDelay(true);
    cleaner.after(() => {
      socket.destroy();
    });
    const speaker = new Speaker(socket);
    await once(socket, 'connect');
    return speaker;
  }

  /** Sends a request. */
  say(name: string, args: readonly Argument[] = [], data: Argument = ''): this {
    this.socket.write(request(name, args, data));
    return this;
  }

  /** The next packet: its type's name, its arguments and its data, with a bar between two. */
  async hear(): Promise<string> {
    await this.#condition.until(() => {
      if (this.#packets.length > 0) return true;
      if (this.#isClosed) throw new Error('the server has closed the connection');
      return false;
    });
    return this.#packets.shift() ?? '';
  }

  /** Sends a request and hears the next packet. */
  ask(name: string, args: readonly Argument[] = [], data: Argument = ''): Promise<string> {
    return this.say(name, args, data).hear();
  }

  /** Nothing was said before what is asked now is answered. */
  async hearsNothing(): Promise<void> {
    const answer = await this.ask('ECHO_REQ', [], 'nothing?');
    if (answer !== 'ECHO_RES|nothing?') throw new Error(`heard ${answer}`);
  }

  /** Sends bytes of the text protocol, and hears what comes until it ends like that. */
  async read(bytes: string, end: string | RegExp): Promise<string> {
    this.#hearsText = true;
    this.socket.write(bytes, 'latin1');
    await this.#condition.until(() => {
      if (typeof end === 'string' ? this.#text.endsWith(end) : end.test(this.#text)) return true;
      if (this.#isClosed) throw new Error(`the server has closed the connection after ${this.#text}`);
      return false;
    });
    const text = this.#text;
    this.#text = '';
    this.#hearsText = false;
    return text;
  }

  /** Resolves when the connection is gone. */
  async closed(): Promise<void> {
    await this.#condition.until(() => this.#isClosed);
  }
}

function describe(packet: Parameters<Parameters<Decoder['push']>[1]>[0]): string {
  const { args = [], data } = PACKET_TYPES[packet.type] ?? {};
  const parts = args.map((_name, index) => packet.latin1(index));
  if (data !== undefined) parts.push(packet.data.toString('latin1'));
  return [nameOfType(packet.type), ...parts].join('|');
}
