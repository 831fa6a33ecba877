/** One connection of a job server: reads requests, collects what is said to the peer, and keeps a peer that does not read from hurting. */
import type { Duplex } from 'node:stream';
import { describe } from '../errors.js';
import { debug } from '../observe.js';
import { Batch } from '../protocol/batch.js';
import { Decoder } from '../protocol/decode.js';
import type { Argument } from '../protocol/encode.js';
import type { Packet } from '../protocol/incoming.js';
import { TYPE, nameOfType } from '../protocol/packet.js';
import { LineReader } from '../protocol/text.js';
import type { Runtime, Timer } from '../runtime.js';
import type { AnswerFault, Fault, Faults, RequestFault } from './faults.js';
import type { Job, Listener } from './job.js';
import { Worker } from './worker.js';

/** What a session reports to. */
export interface SessionOwner {
  readonly maxPacketSize: number;
  readonly faults: Faults;
  readonly setTimer: Runtime['setTimer'];
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

/** A fault keeps the session from reading on; then, it carries this request out first. */
interface Hold {
  readonly packet: Packet | undefined;
  readonly fault: Fault;
  /** Ends it; a frozen session waits for {@link Session.thaw}. */
  readonly timer: Timer | undefined;
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
  readonly #batch = newBatch();
  #worker: Worker | undefined;
  #rest: Rest | undefined;
  #hold: Hold | undefined;
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
      // Node closes the other half when all is written; who has left may never read it.
      if (socket.writableNeedDrain) socket.destroy();
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

  /** Sends a packet. Bytes belong to the session from then on. */
  send(type: number, args: readonly Argument[]): void {
    if (!this.#makeRoom()) return;
    const fault = this.#owner.faults.onAnswer(type);
    const batch = fault === undefined ? this.#batch : newBatch();
    batch.add(type, args);
    if (fault !== undefined) this.#spoil(fault, batch);
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

  /** Reads nothing before {@link thaw}. */
  freeze(fault: Fault): void {
    this.#socket.pause();
    this.#hold = { fault, packet: undefined, timer: undefined };
  }

  /** Goes on where that fault froze it. */
  thaw(fault: Fault): void {
    if (this.#hold?.fault === fault && this.#hold.timer === undefined) this.#release(this.#hold);
  }

  /** Ends the connection at once; resolves when it is gone. */
  async destroy(why: string): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.cut(why);
    await closed;
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
        if (this.#hold !== undefined || this.#unread > READ_FIRST_BYTES) {
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

  /** Carries a request out that a fault has held. */
  #carryOut(packet: Packet): void {
    try {
      this.#owner.onPacket(this, packet);
    } catch (error) {
      this.cut(describe(error));
    }
  }

  readonly #onPacket = (packet: Packet): void => {
    const fault = this.#owner.faults.onRequest(packet.type);
    if (fault === undefined) this.#owner.onPacket(this, packet);
    else this.#suffer(fault, packet);
  };

  readonly #onLine = (words: readonly string[]): void => {
    this.#owner.onLine(this, words);
  };

  /** A request meets a fault. */
  #suffer(fault: RequestFault, packet: Packet): void {
    debug.server('%s: %s from connection %d', fault.kind, nameOfType(packet.type), this.number);
    if (fault.kind === 'ignore') return;
    if (fault.kind === 'error') {
      this.sendError(fault.code, fault.text);
      return;
    }
    const ms = fault.kind === 'delay' ? fault.ms : undefined;
    const timer = ms === undefined ? undefined : this.#owner.setTimer(() => this.#release(hold), ms);
    const hold: Hold = { fault, packet, timer };
    this.#hold = hold;
    this.#socket.pause();
  }

  /** A fault is over. */
  #release(hold: Hold): void {
    this.#hold = undefined;
    if (this.#hasLeft) return;
    if (hold.packet !== undefined) this.#carryOut(hold.packet);
    this.#owner.onRead();
    this.#resume();
  }

  /** An answer meets a fault. */
  #spoil(fault: AnswerFault, batch: Batch): void {
    debug.server('%s: an answer to connection %d', fault.kind, this.number);
    if (fault.kind === 'drop') return;
    const bytes = Buffer.concat(batch.take());
    if (fault.kind === 'garble') {
      bytes.fill(0xff, 0, 1);
      this.#batch.addBytes(bytes);
      return;
    }
    this.#batch.addBytes(bytes.subarray(0, fault.after ?? 0));
    this.flush();
    this.#leave('a fault cut it');
    this.#socket.end(() => this.#socket.destroy());
  }

  /** What kept it from reading is over: the peer has read what was sent, or a fault has ended. */
  #resume(): void {
    if (this.#hold !== undefined || this.#hasLeft || !this.#socket.isPaused()) return;
    const rest = this.#rest;
    this.#rest = undefined;
    this.#socket.resume();
    if (rest !== undefined) this.#read(rest.chunk, rest.offset);
  }

  #leave(why: string): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#hold?.timer?.cancel();
    debug.server('connection %d from %s has ended: %s', this.number, this.host, why);
    this.#owner.onLeft(this);
    this.#owner.onRead();
  }
}

/** What came in as bytes was read as latin1, and goes out as that. */
function newBatch(): Batch {
  return new Batch('RES', 'latin1');
}
