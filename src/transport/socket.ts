/** One socket to a job server: TCP or TLS, up in time or an error that says why. */
import type { Duplex } from 'node:stream';
import { describe, gearmanError, type GearmanError } from '../errors.js';
import type { Address } from './address.js';
import { Timed } from './deadlines.js';
import type { World } from './world.js';

/** Who is told about a socket. */
export interface SocketOwner {
  /** It is connected; over TLS, the server's certificate has been verified. */
  onUp(): void;
  onData(chunk: Buffer): void;
  /** What was written has left; it {@link ServerSocket.isWritable} again. */
  onDrain(): void;
  /** A part of what was written has left. */
  onSent(): void;
  /** The other side or the system ended it, or it did not come up in time. Not told of {@link ServerSocket.destroy}. */
  onDown(error: GearmanError): void;
  /** The system has closed it, however it ended. */
  onGone(): void;
}

type State = 'connecting' | 'up' | 'down';

/** The socket has so much of what is written and not more, so that a slow upload can be told from a dead server. */
const HELD_BYTES = 262_144;

/** Opens a socket at once and ends it in one way. */
export class ServerSocket extends Timed {
  readonly #address: Address;
  readonly #world: World;
  readonly #owner: SocketOwner;
  readonly #socket: Duplex;
  /** What the socket has not got yet, in order. */
  readonly #unwritten: Uint8Array[] = [];
  #state: State = 'connecting';

  constructor(address: Address, world: World, owner: SocketOwner) {
    super();
    this.#address = address;
    this.#world = world;
    this.#owner = owner;
    const { host, port, tls } = address;
    const { connectTimeout } = world.settings;
    // A third each, so that of a name with several addresses one that does not answer leaves time for the next; also where
    // there is no limit.
    const target = {
      host,
      port,
      tls,
      addressTimeoutMs: Math.min(10_000, Math.max(250, Math.ceil(connectTimeout / 3))),
    };
    this.#socket = world.runtime.connect(target, () => {
      this.#onUp();
    });
    this.#listen();
    world.deadlines.start(this, connectTimeout);
  }

  /** Whether it takes bytes now. */
  get isWritable(): boolean {
    return this.#state === 'up' && this.#unwritten.length === 0 && !this.#socket.writableNeedDrain;
  }

  /** Hands bytes over. */
  write(buffers: readonly Uint8Array[]): void {
    this.#unwritten.push(...buffers);
    this.#feed();
  }

  /** Ends it; `false` if it was over already. */
  destroy(): boolean {
    if (this.#state === 'down') return false;
    this.#state = 'down';
    this.#world.deadlines.stop(this);
    this.#socket.destroy();
    return true;
  }

  /** It did not come up in time. */
  override onDue(): void {
    const what = `did not ${this.#address.tls === undefined ? 'accept a connection' : 'complete a TLS handshake'}`;
    const message = `${this.#address.name} ${what} within ${String(this.#world.settings.connectTimeout)} ms${this.#hint()}.`;
    this.#end(gearmanError('GEARMAN_COULD_NOT_CONNECT', message, { server: this.#address.name }));
  }

  /** Fills it up. Of what a write brings it gets the beginning at least, whatever Node thinks of its size. */
  #feed(): void {
    const socket = this.#socket;
    // One writev for several; its detour is not worth it for one.
    if (this.#unwritten.length > 1) socket.cork();
    for (let room = this.#room; room > 0; room = this.#room) {
      const buffer = this.#unwritten.shift();
      if (buffer === undefined) break;
      if (buffer.length > room) this.#unwritten.unshift(buffer.subarray(room));
      socket.write(buffer.length > room ? buffer.subarray(0, room) : buffer);
    }
    if (socket.writableCorked > 0) socket.uncork();
  }

  /** How many bytes the socket may still hold. While it asks for no drain it gets more, for none would come. */
  get #room(): number {
    const room = HELD_BYTES - this.#socket.writableLength;
    return room > 0 || this.#socket.writableNeedDrain ? room : HELD_BYTES;
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => {
      if (this.#state === 'up') this.#owner.onData(chunk);
    });
    socket.on('drain', () => {
      if (this.#state !== 'up') return;
      this.#feed();
      if (this.isWritable) this.#owner.onDrain();
      else this.#owner.onSent();
    });
    socket.on('error', (error) => {
      this.#onEnd(error);
    });
    socket.on('end', () => {
      this.#onEnd(undefined);
    });
    socket.on('close', () => {
      this.#onEnd(undefined);
      this.#owner.onGone();
    });
  }

  #onUp(): void {
    if (this.#state !== 'connecting') return;
    this.#world.deadlines.stop(this);
    this.#state = 'up';
    this.#owner.onUp();
  }

  /** The other side or the system ended it. */
  #onEnd(cause: Error | undefined): void {
    if (this.#state === 'down') return;
    const reason = cause === undefined ? 'the server closed it' : describe(cause);
    this.#end(this.#state === 'up' ? this.#lost(reason, cause) : this.#couldNotConnect(reason, cause));
  }

  #end(error: GearmanError): void {
    if (this.destroy()) this.#owner.onDown(error);
  }

  #lost(reason: string, cause: Error | undefined): GearmanError {
    const server = this.#address.name;
    const message = `The connection to ${server} was lost: ${reason}.`;
    return gearmanError('GEARMAN_LOST_CONNECTION', message, { server, cause });
  }

  #couldNotConnect(reason: string, cause: Error | undefined): GearmanError {
    const server = this.#address.name;
    const { code } = (cause ?? {}) as NodeJS.ErrnoException;
    // The handshake ended without an answer: with an alert or a certificate, the cause says it better.
    const hint =
      cause === undefined || code === 'ECONNRESET' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' ? this.#hint() : '';
    const message = `Could not connect to ${server}: ${reason}${hint}.`;
    return gearmanError('GEARMAN_COULD_NOT_CONNECT', message, { server, cause });
  }

  #hint(): string {
    return this.#address.tls === undefined ? '' : ' (does this port speak TLS?)';
  }
}
