/** One connection of a job server: reads requests, collects what is said to the peer, and keeps a peer that does not read from hurting. */
import type { Duplex } from 'node:stream';
import { describe } from '../errors.js';
import { debug } from '../observe.js';
import { Batch } from '../protocol/batch.js';
import { Decoder } from '../protocol/decode.js';
import type { Argument } from '../protocol/encode.js';
import type { Packet } from '../protocol/incoming.js';
import { TYPE } from '../protocol/packet.js';
import { LineReader } from '../protocol/text.js';
import type { Job, Listener } from './job.js';
import { Worker } from './worker.js';

/** What a session reports to. */
export interface SessionOwner {
  readonly maxPacketSize: number;
  onPacket(session: Session, packet: Packet): void;
  onLine(session: Session, words: readonly string[]): void;
  /** It has something to write: {@link Session.flush} is due when what is being done is done. */
  onAnswer(session: Session): void;
  /** All that a chunk asked for is done. */
  onRead(): void;
  /** The peer has left, or was cut. */
  onLeft(session: Session): void;
}

/** With so much unread a peer is not listened to before it has read. */
const READ_FIRST_BYTES = 1_048_576;

/** What has been read but not carried out. */
interface Rest {
  readonly chunk: Buffer;
  readonly offset: number;
}

/** See the head of this file. Strings are latin1 both ways: what came in goes out byte for byte. */
export class Session implements Listener {
  /** What tells connections apart in the list of workers, as gearmand's file descriptors do. */
  readonly number: number;
  /** The peer's IP address. */
  readonly host: string;
  /** The name that the peer gave itself. */
  id = '-';
  /** Whether it asked for WORK_EXCEPTION. */
  hasExceptions = false;
  readonly waitsFor: Set<Job> = new Set<Job>();
  readonly #socket: Duplex;
  readonly #owner: SessionOwner;
  readonly #decoder: Decoder;
  readonly #lines = new LineReader();
  readonly #batch = new Batch('RES', 'latin1');
  #worker: Worker | undefined;
  #rest: Rest | undefined;
  #isDirty = false;
  #hasLeft = false;

  constructor(socket: Duplex, peer: { number: number; host: string }, owner: SessionOwner) {
    this.#socket = socket;
    this.number = peer.number;
    this.host = peer.host;
    this.#owner = owner;
    this.#decoder = new Decoder('REQ', owner.maxPacketSize, true);
    socket.on('data', (chunk: Buffer) => {
      this.#read(chunk, 0);
    });
    socket.on('drain', () => {
      this.#resume();
    });
    socket.on('error', (error) => {
      this.cut(describe(error));
    });
    socket.on('end', () => {
      this.#leave('it closed the connection');
    });
    socket.on('close', () => {
      this.#leave('the connection is gone');
    });
  }

  /** The worker that the peer is, if it ever said so. */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  /** The worker that the peer is from now on. */
  becomeWorker(): Worker {
    this.#worker ??= new Worker(() => {
      this.send(TYPE.NOOP, []);
    });
    return this.#worker;
  }

  /** Sends a packet without data. */
  send(type: number, args: readonly Argument[]): void {
    if (this.#makeRoom()) this.#batch.add(type, args);
  }

  /** Sends a packet with data. Bytes belong to the session from then on. */
  sendWithData(type: number, args: readonly Argument[], data: Argument): void {
    if (this.#makeRoom()) this.#batch.addWithData(type, args, data);
  }

  /** Sends an answer of the text protocol. */
  sendText(text: Buffer): void {
    if (this.#makeRoom()) this.#batch.addBytes(text);
  }

  /** Sends an ERROR. */
  sendError(code: string, text: string): void {
    this.send(TYPE.ERROR, [code, text]);
  }

  /** Writes what was sent. */
  flush(): void {
    this.#isDirty = false;
    if (this.#hasLeft) return;
    const buffers = this.#batch.take();
    if (buffers.length > 1) this.#socket.cork();
    for (const buffer of buffers) this.#socket.write(buffer);
    if (buffers.length > 1) this.#socket.uncork();
  }

  /** Ends the connection at once. */
  cut(why: string): void {
    this.#leave(why);
    this.#socket.destroy();
  }

  /** Whether something may be sent. A peer that does not read what is sent to it is cut before it costs more memory. */
  #makeRoom(): boolean {
    if (this.#hasLeft) return false;
    if (this.#unread > this.#owner.maxPacketSize + READ_FIRST_BYTES) {
      this.cut('it does not read what is sent to it');
      return false;
    }
    if (!this.#isDirty) {
      this.#isDirty = true;
      this.#owner.onAnswer(this);
    }
    return true;
  }

  get #unread(): number {
    return this.#socket.writableLength + this.#batch.bytes;
  }

  #read(chunk: Buffer, from: number): void {
    try {
      let offset = from;
      while (offset < chunk.length && !this.#hasLeft) {
        if (this.#unread > READ_FIRST_BYTES) {
          this.#rest = { chunk, offset };
          this.#socket.pause();
          break;
        }
        offset = this.#step(chunk, offset);
      }
    } catch (error) {
      // What a peer sends ends at most its own connection.
      this.cut(describe(error));
    }
    this.#owner.onRead();
  }

  #step(chunk: Buffer, offset: number): number {
    if (this.#decoder.isBetweenPackets && this.#lines.takes(chunk[offset])) {
      return this.#lines.step(chunk, offset, this.#onLine);
    }
    return this.#decoder.step(chunk, offset, this.#onPacket);
  }

  readonly #onPacket = (packet: Packet): void => {
    this.#owner.onPacket(this, packet);
  };

  readonly #onLine = (words: readonly string[]): void => {
    this.#owner.onLine(this, words);
  };

  /** The peer has read what was sent: it is listened to again. */
  #resume(): void {
    const rest = this.#rest;
    if (rest === undefined || this.#hasLeft) return;
    this.#rest = undefined;
    this.#socket.resume();
    this.#read(rest.chunk, rest.offset);
  }

  #leave(why: string): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    debug.server('connection %d from %s has ended: %s', this.number, this.host, why);
    this.#owner.onLeft(this);
    this.#owner.onRead();
  }
}
