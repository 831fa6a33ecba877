/** One socket to a job server: TCP or TLS, up in time or an error that says why. */
import type { Duplex } from 'node:stream';
import { GearmanConnectionError, describe } from '../errors.js';
import type { Address } from './address.js';
import { Timed } from './deadlines.js';
import type { World } from './world.js';

/** Who is told about a socket. */
export interface SocketOwner {
  /** It is connected; over TLS, the server's certificate has been verified. */
  onUp(): void;
  onData(chunk: Buffer): void;
  /** What was written has left; more may be written. */
  onDrain(): void;
  /** A part of what was written has left. */
  onSent(): void;
  /** It is over. Called once, whoever ended it. */
  onDown(error: GearmanConnectionError): void;
}

type State = 'connecting' | 'up' | 'down';

/** Larger buffers are handed over in pieces, each when the one before has left: so a slow upload is told from a dead server. */
const PIECE_BYTES = 262_144;

/** Opens a socket at once and ends it in one way. */
export class ServerSocket extends Timed {
  readonly #address: Address;
  readonly #world: World;
  readonly #owner: SocketOwner;
  readonly #socket: Duplex;
  /** What the socket has not got yet, in order. */
  readonly #unwritten: Uint8Array[] = [];
  #state: State = 'connecting';
  /** Resolves when the system has closed the socket. */
  readonly gone: Promise<void>;

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
    this.gone = this.#listen();
    world.deadlines.start(this, connectTimeout);
  }

  /** Hands bytes over; `false` when it wants no more before {@link SocketOwner.onDrain}. */
  write(buffers: readonly Uint8Array[]): boolean {
    this.#unwritten.push(...buffers);
    return this.#feed();
  }

  /** Ends it for a reason of our own. */
  destroy(error: GearmanConnectionError): void {
    if (this.#state === 'down') return;
    this.#state = 'down';
    this.#world.deadlines.stop(this);
    this.#socket.destroy();
    this.#owner.onDown(error);
  }

  /** It did not come up in time. */
  override onDue(): void {
    const what = `did not ${this.#address.tls === undefined ? 'accept a connection' : 'complete a TLS handshake'}`;
    const message = `${this.#address.name} ${what} within ${String(this.#world.settings.connectTimeout)} ms${this.#hint()}.`;
    this.destroy(new GearmanConnectionError('GEARMAN_COULD_NOT_CONNECT', message, { server: this.#address.name }));
  }

  /** Hands over as much as the socket wants; returns whether that was all and it wants more. */
  #feed(): boolean {
    const socket = this.#socket;
    // One writev for several; its detour is not worth it for one.
    if (this.#unwritten.length > 1) socket.cork();
    while (!socket.writableNeedDrain) {
      const buffer = this.#unwritten.shift();
      if (buffer === undefined) break;
      const isWhole = buffer.length <= PIECE_BYTES;
      if (!isWhole) this.#unwritten.unshift(buffer.subarray(PIECE_BYTES));
      socket.write(isWhole ? buffer : buffer.subarray(0, PIECE_BYTES));
    }
    if (socket.writableCorked > 0) socket.uncork();
    return this.#unwritten.length === 0 && !socket.writableNeedDrain;
  }

  #listen(): Promise<void> {
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => {
      if (this.#state === 'up') this.#owner.onData(chunk);
    });
    socket.on('drain', () => {
      if (this.#state !== 'up') return;
      if (this.#feed()) this.#owner.onDrain();
      else this.#owner.onSent();
    });
    socket.on('error', (error) => {
      this.#onEnd(error);
    });
    socket.on('end', () => {
      this.#onEnd(undefined);
    });
    return new Promise((resolve) => {
      socket.on('close', () => {
        this.#onEnd(undefined);
        resolve();
      });
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
    const server = this.#address.name;
    const reason = cause === undefined ? 'the server closed it' : describe(cause);
    const error =
      this.#state === 'up'
        ? new GearmanConnectionError('GEARMAN_LOST_CONNECTION', `The connection to ${server} was lost: ${reason}.`, {
            server,
            cause,
          })
        : this.#couldNotConnect(reason, cause);
    this.destroy(error);
  }

  #couldNotConnect(reason: string, cause: Error | undefined): GearmanConnectionError {
    const server = this.#address.name;
    const { code } = (cause ?? {}) as NodeJS.ErrnoException;
    // The handshake ended without an answer: with an alert or a certificate, the cause says it better.
    const hint =
      cause === undefined || code === 'ECONNRESET' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' ? this.#hint() : '';
    const message = `Could not connect to ${server}: ${reason}${hint}.`;
    return new GearmanConnectionError('GEARMAN_COULD_NOT_CONNECT', message, { server, cause });
  }

  #hint(): string {
    return this.#address.tls === undefined ? '' : ' (does this port speak TLS?)';
  }
}
