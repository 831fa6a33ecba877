/** One connection of a worker to a job server: what is said on it, and the jobs that it holds. It holds them until it is closed. */
import { gearmanError, type GearmanError } from '../errors.js';
import { debug } from '../observe.js';
import type { Argument } from '../protocol/encode.js';
import type { Packet } from '../protocol/incoming.js';
import { TYPE } from '../protocol/packet.js';
import type { Address } from '../transport/address.js';
import { Connection, type ConnectionOwner } from '../transport/connection.js';
import { Timed } from '../transport/deadlines.js';
import type { Loss, Request } from '../transport/request.js';
import type { World } from '../transport/world.js';
import { Barrier, Grab, type Assignment } from './requests.js';

/** Who is told about a link. */
export interface LinkOwner {
  /** It is connected. */
  onUp(link: Link): void;
  /** A GRAB_JOB was answered; without an assignment there was no job. */
  onGrabbed(link: Link, assignment: Assignment | undefined): void;
  /** There may be a job to grab. */
  onNoop(link: Link): void;
  /** It is dead, and the server gives its jobs to others. */
  onDown(link: Link, error: GearmanError): void;
  /** Its socket is closed. */
  onGone(link: Link): void;
}

/** A job that the link holds. */
export interface HeldJob {
  /** The link is dead. */
  onLost(error: GearmanError): void;
}

/** A job handle byte for byte, as it came. */
function bytesOf(handle: string): Argument {
  return /^\p{ASCII}*$/u.test(handle) ? handle : Buffer.from(handle, 'latin1');
}

/** See the head of this file. */
export class Link extends Timed implements ConnectionOwner {
  readonly #owner: LinkOwner;
  readonly #world: World;
  readonly #connection: Connection;
  readonly #jobs = new Set<HeldJob>();
  /** The progress of jobs that could not be sent yet, by handle. */
  readonly #statuses = new Map<string, readonly [numerator: number, denominator: number]>();
  /** Who waits for room in the socket. */
  readonly #whenRoom: (() => void)[] = [];
  #state: 'connecting' | 'up' | 'dead' = 'connecting';
  /** When something came last. */
  #heardMs = 0;
  /** When the server last answered a request, took what was said before it, or had none to answer. */
  #progressMs = 0;
  #isFlushing = false;
  /** GRAB_JOBs without an answer. */
  grabs = 0;

  constructor(address: Address, world: World, owner: LinkOwner) {
    super();
    this.#owner = owner;
    this.#world = world;
    this.#connection = new Connection(address, world, this);
  }

  /** Name of the job server. */
  get server(): string {
    return this.#connection.server;
  }

  /** Whether it holds no job and is to get none. */
  get isEmpty(): boolean {
    return this.#jobs.size === 0 && this.grabs === 0;
  }

  /** Asks for a job. */
  grab(type: number): void {
    this.grabs++;
    this.#send(
      new Grab(type, (assignment) => {
        this.#progressMs = this.#world.deadlines.now();
        this.grabs--;
        this.#owner.onGrabbed(this, assignment);
      }),
    );
  }

  /** Calls back when the server has done all that was said before. */
  whenDone(callback: () => void): void {
    this.#send(new Barrier(callback));
  }

  /** Says something that the server does not answer. */
  say(type: number, args: readonly Argument[]): void {
    if (this.#state === 'dead') return;
    this.#connection.post(type, args);
    this.#flushSoon();
  }

  /** Says how a job ended; with its result or exception where the type has one. */
  finish(type: number, handle: string, data?: Argument): void {
    this.#statuses.delete(handle);
    this.say(type, data === undefined ? [bytesOf(handle)] : [bytesOf(handle), data]);
  }

  /** Reports progress, now or when there is room. */
  status(handle: string, numerator: number, denominator: number): void {
    if (this.#connection.isWritable) this.#sayStatus(handle, numerator, denominator);
    else this.#statuses.set(handle, [numerator, denominator]);
  }

  /** WORK_DATA; resolves when there is room again, or never will be. */
  sendData(handle: string, data: Argument): Promise<void> {
    return this.#update(TYPE.WORK_DATA, handle, data);
  }

  /** WORK_WARNING, likewise. */
  sendWarning(handle: string, data: Argument): Promise<void> {
    return this.#update(TYPE.WORK_WARNING, handle, data);
  }

  hold(job: HeldJob): void {
    this.#jobs.add(job);
  }

  release(job: HeldJob): void {
    this.#jobs.delete(job);
  }

  /** Ends it now; the server gives its jobs to others. */
  destroy(error: GearmanError): void {
    // What was said in this tick, as how a job ended.
    this.#connection.flush();
    this.#connection.destroy(error);
  }

  /** Ends it when the server has done what was said. Without that, closing the socket could take back what is on its way. */
  end(): void {
    const error = gearmanError('GEARMAN_SHUTDOWN', `The worker has left ${this.server}.`, { server: this.server });
    if (this.#state === 'connecting') this.destroy(error);
    else this.whenDone(() => this.destroy(error));
  }

  onUp(): void {
    this.#state = 'up';
    this.#heardMs = this.#world.deadlines.now();
    this.#owner.onUp(this);
    this.#world.deadlines.start(this, this.#world.settings.heartbeat);
  }

  /**
   * Finds out whether a server lives that is asked for nothing: what running jobs lead to may be for nobody. One that is asked and says
   * something is to answer, too.
   */
  override onDue(): void {
    const { deadlines, settings } = this.#world;
    const { heartbeat } = settings;
    const now = deadlines.now();
    deadlines.start(this, heartbeat);
    if (this.#connection.pending === 0) {
      this.#progressMs = now;
      if (now - this.#heardMs >= heartbeat) this.#connection.askForLife();
    } else if (now - this.#progressMs >= 2 * heartbeat) {
      const within = `${String(2 * heartbeat)} ms (twice the option heartbeat)`;
      const message = `${this.server} did not answer what it was asked within ${within}.`;
      this.destroy(gearmanError('GEARMAN_LOST_CONNECTION', message, { server: this.server }));
    }
  }

  onHeard(): void {
    this.#heardMs = this.#world.deadlines.now();
  }

  /** It cannot answer before it has what was said before. */
  onSent(): void {
    this.#progressMs = this.#world.deadlines.now();
  }

  onAbandoned(): void {}

  onRoom(): void {
    for (const [handle, [numerator, denominator]] of this.#statuses) {
      this.#sayStatus(handle, numerator, denominator);
    }
    this.#statuses.clear();
    for (const resolve of this.#whenRoom.splice(0)) resolve();
  }

  onDown(_connection: Connection, { error }: Loss): void {
    this.#state = 'dead';
    this.#world.deadlines.stop(this);
    this.#statuses.clear();
    for (const resolve of this.#whenRoom.splice(0)) resolve();
    for (const job of this.#jobs) job.onLost(error);
    this.#owner.onDown(this, error);
  }

  onGone(): void {
    this.#owner.onGone(this);
  }

  /** NOOP wakes. An ERROR is about a job that is not ours any more. */
  onUnasked(_connection: Connection, packet: Packet): boolean {
    if (packet.type === TYPE.NOOP) this.#owner.onNoop(this);
    else if (packet.type === TYPE.ERROR) debug.worker('%s says %s: %s', this.server, packet.latin1(0), packet.utf8(1));
    else return false;
    return true;
  }

  #sayStatus(handle: string, numerator: number, denominator: number): void {
    this.say(TYPE.WORK_STATUS, [bytesOf(handle), String(numerator), String(denominator)]);
  }

  async #update(type: number, handle: string, data: Argument): Promise<void> {
    this.say(type, [bytesOf(handle), data]);
    this.#connection.flush();
    if (this.#state === 'dead' || this.#connection.isWritable) return;
    await new Promise<void>((resolve) => {
      this.#whenRoom.push(resolve);
    });
  }

  #send(request: Request): void {
    if (this.#state === 'dead') return;
    if (this.#connection.pending === 0) this.#progressMs = this.#world.deadlines.now();
    this.#connection.send(request);
    this.#flushSoon();
  }

  /** What is said in one tick is written together: a result, and the request for the next job. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#connection.flush();
    });
  }
}
