/** Asks every job server for an echo. */
import { gearmanError, type GearmanError } from '../errors.js';
import type { Batch } from '../protocol/batch.js';
import type { Packet } from '../protocol/incoming.js';
import { TYPE } from '../protocol/packet.js';
import { Request, type Loss } from '../transport/request.js';
import { aborted } from './calls.js';
import type { QuestionOptions } from './options.js';
import type { Shared } from './shared.js';

/** How long a server took to answer, in milliseconds, or why it did not. */
export type PingResult =
  | { readonly server: string; readonly ms: number; readonly error?: never }
  | { readonly server: string; readonly error: GearmanError; readonly ms?: never };

const unset = (): void => undefined;

const ECHO_TEXT = 'ping';

/** One ECHO_REQ to one server. */
export class Ping extends Request {
  override readonly server: string;
  override readonly job = undefined;
  override readonly isSticky = true;
  override readonly endsPause = true;
  readonly #shared: Shared;
  readonly #options: QuestionOptions;
  readonly #now: () => number;
  #sentMs = 0;
  #resolve: (result: PingResult) => void = unset;

  /** @param now - a clock in milliseconds */
  constructor(shared: Shared, server: string, options: QuestionOptions, now: () => number) {
    super();
    this.#shared = shared;
    this.server = server;
    this.#options = options;
    this.#now = now;
  }

  /** Asks now, even a server that is left alone after a failure. Always resolves. */
  ask(): Promise<PingResult> {
    const { pool, calls } = this.#shared;
    const result = new Promise<PingResult>((resolve) => {
      this.#resolve = resolve;
    });
    calls.begin(this, this.#options.timeout, this.#options.signal);
    if (!this.settled) pool.send(this);
    return result;
  }

  override write(batch: Batch): void {
    this.#sentMs = this.#now();
    batch.add(TYPE.ECHO_REQ, [ECHO_TEXT]);
  }

  override isAnsweredBy(type: number): boolean {
    return type === TYPE.ECHO_RES || type === TYPE.ERROR;
  }

  override onReply(packet: Packet): void {
    if (packet.type === TYPE.ECHO_RES && packet.data.toString() !== ECHO_TEXT) {
      throw gearmanError('GEARMAN_UNEXPECTED_PACKET', 'ECHO_RES holds other data than ECHO_REQ.');
    }
    // An ERROR is an answer, too: the server is there.
    if (!this.settled) this.#settle({ server: this.server, ms: this.#now() - this.#sentMs });
  }

  override onUnsent(error: GearmanError): void {
    this.#fail(error);
  }

  override onLost({ error }: Loss): void {
    this.#fail(error);
  }

  override onRefused(error: GearmanError): void {
    this.#fail(error);
  }

  override onDue(): void {
    const { carrier, server } = this;
    const { timeout } = this.#options;
    const message = `${server} did not answer within ${String(timeout)} ms.`;
    const late = gearmanError('GEARMAN_TIMEOUT', message, { server });
    this.#fail(carrier === undefined ? this.#shared.pool.whyUnsent(this, timeout) : late);
    carrier?.onAbandoned(true);
  }

  /** The caller's signal was aborted. */
  onAbort(reason: unknown): void {
    this.#fail(aborted(reason, 'asking changes nothing', { server: this.server }));
    this.carrier?.onAbandoned(false);
  }

  #fail(error: GearmanError): void {
    if (!this.settled) this.#settle({ server: this.server, error });
  }

  #settle(result: PingResult): void {
    this.settled = true;
    this.#shared.calls.end(this, this.#options.signal);
    this.#resolve(result);
    // The tombstone stays; the promise need not.
    this.#resolve = unset;
  }
}
