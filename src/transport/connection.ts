/** One socket's life: connects once, carries requests and their answers, dies once. */
import { GearmanProtocolError, asError, describe, gearmanError, type GearmanError } from '../errors.js';
import { Batch } from '../protocol/batch.js';
import { Decoder } from '../protocol/decode.js';
import type { Argument } from '../protocol/encode.js';
import type { Packet } from '../protocol/incoming.js';
import { TYPE } from '../protocol/packet.js';
import type { Address } from './address.js';
import { Timed } from './deadlines.js';
import { Replies } from './replies.js';
import { Request, type Carrier, type Loss } from './request.js';
import { ServerSocket, type SocketOwner } from './socket.js';
import type { World } from './world.js';

/** Who is told about a connection. */
export interface ConnectionOwner {
  /** Requests may be sent. */
  onUp(connection: Connection): void;
  /** Something came: it lives, and may be proven now. */
  onHeard(connection: Connection): void;
  /** A part of what was written has left. */
  onSent(connection: Connection): void;
  /** Its socket takes requests again. */
  onRoom(connection: Connection): void;
  /** Nobody waits any more for one of the answers; `isLate`: because it did not come in time. */
  onAbandoned(connection: Connection, isLate: boolean): void;
  /** It is dead; these requests were written and not answered. */
  onDown(connection: Connection, loss: Loss, unanswered: readonly Request[]): void;
  /** Its socket is closed. */
  onGone(connection: Connection): void;
  /** A packet that answers no request; whether it was meant for the owner. */
  onUnasked?(connection: Connection, packet: Packet): boolean;
}

/** Once this many bytes are collected they are handed to the socket, to learn whether it wants more. */
const FLUSH_BYTES = 65_536;

/** There is no memory for the bytes of a long string, say. */
function unwritable(cause: Error): GearmanError {
  return gearmanError('GEARMAN_ARGUMENT_TOO_LARGE', `it could not be written: ${describe(cause)}.`, { cause });
}

/** Asks a silent server for a sign of life. That anything came is what counts, and the connection sees that. */
class Heartbeat extends Request {
  override readonly server = undefined;
  override readonly job = undefined;
  override readonly isSticky = true;
  /** A server that does not know ECHO_REQ may say nothing. */
  override readonly isOptional = true;
  /** Nobody waits for it: it does not keep a connection open. */
  override settled = true;
  readonly #mayFail: boolean;
  readonly #isAlone: () => boolean;

  /**
   * @param mayFail - whether an ERROR can be the answer: a worker gets some that nothing asked for
   * @param isAlone - whether nothing else is pending
   */
  constructor(mayFail: boolean, isAlone: () => boolean) {
    super();
    this.#mayFail = mayFail;
    this.#isAlone = isAlone;
  }

  override write(batch: Batch): void {
    batch.add(TYPE.ECHO_REQ, []);
  }

  /** What a server that does not know ECHO_REQ says instead, if it says anything, is a sign of life, too. */
  override isAnsweredBy(type: number): boolean {
    return type === TYPE.ECHO_RES || (type === TYPE.ERROR && this.#mayFail);
  }

  override onReply({ type }: Packet): void {
    if (type === TYPE.ECHO_RES || this.#isAlone()) return;
    throw gearmanError(
      'GEARMAN_UNEXPECTED_PACKET',
      'ERROR came, and may answer either an ECHO_REQ or what was asked next.',
    );
  }

  override onUnsent(): void {}
  override onLost(): void {}
  override onRefused(): void {}
  override onDue(): void {}
}

/** See {@link ConnectionOwner} for what it tells. */
export class Connection extends Timed implements Carrier, SocketOwner {
  readonly server: string;
  readonly #world: World;
  readonly #owner: ConnectionOwner;
  readonly #socket: ServerSocket;
  readonly #decoder: Decoder;
  readonly #replies: Replies;
  readonly #batch = new Batch('REQ');
  #isProven = false;
  /** Since when it has been silent although something was pending. */
  #silentSinceMs = 0;
  /** A sign of life was asked for and nothing has come since. */
  #isAsked = false;

  constructor(address: Address, world: World, owner: ConnectionOwner) {
    super();
    this.server = address.name;
    this.#world = world;
    this.#owner = owner;
    this.#decoder = new Decoder('RES', world.settings.maxPacketSize);
    const isIssued = (handle: string): boolean => world.isIssued(handle, address.name);
    const isWanted = (packet: Packet): boolean => owner.onUnasked?.(this, packet) === true;
    this.#replies = new Replies(address.name, world.settings.maxPacketSize, isIssued, isWanted);
    this.#socket = new ServerSocket(address, world, this);
  }

  /** Requests that were written and not answered, tombstones included. */
  get pending(): number {
    return this.#replies.pending;
  }

  /** Whether anybody waits for an answer on it. */
  get isAwaited(): boolean {
    return this.#replies.isAwaited;
  }

  /** Whether a request has been answered: a stopped server accepts connections, too, and takes what is written. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** Whether it takes requests now. */
  get isWritable(): boolean {
    return this.#socket.isWritable;
  }

  /** Writes a request; {@link flush} sends it. Only while {@link isWritable}. One that cannot be written is refused. */
  send(request: Request): void {
    try {
      request.write(this.#batch);
    } catch (error) {
      request.onRefused(unwritable(asError(error)));
      return;
    }
    if (!this.#replies.isOwed) this.#onFirstPending();
    request.carrier = this;
    this.#replies.expect(request);
    if (this.#batch.bytes >= FLUSH_BYTES) this.flush();
  }

  /** Writes a packet that nothing answers; {@link flush} sends it. */
  post(type: number, args: readonly Argument[]): void {
    this.#batch.add(type, args);
    if (this.#batch.bytes >= FLUSH_BYTES) this.flush();
  }

  /** Hands what was sent to the socket. */
  flush(): void {
    if (this.#batch.bytes > 0) this.#socket.write(this.#batch.take());
  }

  /** Asks for a sign of life, unless one is awaited: it has the time of a heartbeat to come. */
  askForLife(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.send(new Heartbeat(this.#owner.onUnasked === undefined, () => this.pending === 1));
    this.flush();
    this.#world.deadlines.start(this, this.#world.settings.heartbeat);
  }

  /** Tells the requests that wait for answers that the server may be dead. */
  tellDoubt(): void {
    this.#replies.tellDoubt();
  }

  /** Ends it now; what is pending is lost. */
  destroy(error: GearmanError, ending: Loss['ending'] = 'destroyed'): void {
    if (this.#socket.destroy()) this.#die({ error, ending });
  }

  onUp(): void {
    this.#owner.onUp(this);
  }

  onDrain(): void {
    this.#owner.onRoom(this);
  }

  /** The server takes what is sent: it cannot answer before it has the rest. That it takes it is no proof that it lives. */
  onSent(): void {
    this.#silentSinceMs = this.#world.deadlines.now();
    if (this.#isAsked) this.#world.deadlines.start(this, this.#world.settings.heartbeat);
    this.#owner.onSent(this);
  }

  onData(chunk: Buffer): void {
    this.#silentSinceMs = this.#world.deadlines.now();
    this.#isAsked = false;
    try {
      this.#decoder.push(chunk, this.#take);
    } catch (error) {
      this.#fail(asError(error));
      return;
    }
    this.#owner.onHeard(this);
  }

  onDown(error: GearmanError): void {
    this.#die({ error, ending: 'closed' });
  }

  onGone(): void {
    this.#owner.onGone(this);
  }

  onAbandoned(isLate: boolean): void {
    this.#owner.onAbandoned(this, isLate);
  }

  /** The heartbeat. */
  override onDue(): void {
    if (!this.#replies.isOwed && !this.#isAsked) return;
    const { heartbeat } = this.#world.settings;
    const silentMs = this.#world.deadlines.now() - this.#silentSinceMs;
    if (this.#isAsked) {
      const message = `${this.server} gave no sign of life for ${String(heartbeat)} ms (the option heartbeat).`;
      this.destroy(gearmanError('GEARMAN_LOST_CONNECTION', message, { server: this.server }));
    } else if (silentMs >= heartbeat) {
      this.askForLife();
    } else {
      this.#world.deadlines.start(this, heartbeat - silentMs);
    }
  }

  readonly #take = (packet: Packet): void => {
    if (this.#replies.take(packet)) this.#isProven = true;
  };

  /** The heartbeat that was started for an earlier request may still run: it finds out how long the silence has lasted. */
  #onFirstPending(): void {
    this.#silentSinceMs = this.#world.deadlines.now();
    if (this.before === undefined) this.#world.deadlines.start(this, this.#world.settings.heartbeat);
  }

  #fail(cause: Error): void {
    const { server } = this;
    const what =
      cause instanceof GearmanProtocolError ? `${server} broke the protocol` : `What ${server} sent was not read`;
    const message = `${what}: ${cause.message}`;
    this.destroy(gearmanError('GEARMAN_LOST_CONNECTION', message, { server, cause }), 'protocol error');
  }

  #die(loss: Loss): void {
    this.#decoder.stop();
    this.#world.deadlines.stop(this);
    this.#owner.onDown(this, loss, this.#replies.takeUnanswered());
  }
}
