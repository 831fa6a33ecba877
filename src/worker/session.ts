/**
 * One job server for one lane over time: connects, registers the lane's functions, asks for jobs and sleeps in between.
 *
 * ```
 *    connecting -> registering -> awake <-> dry -> asleep
 *        ^               |          ^                |
 *        |               v          +---- NOOP ------+
 *        +----------- paused  (from each of them, when the connection dies)      closed: to the end
 * ```
 * A connection that gives a job back is retired: another one takes its place, and it is closed when its other jobs have ended.
 */
import { gearmanError, type GearmanError } from '../errors.js';
import { debug } from '../observe.js';
import { TYPE } from '../protocol/packet.js';
import type { Address } from '../transport/address.js';
import { pauseAfter } from '../transport/backoff.js';
import { Timed } from '../transport/deadlines.js';
import type { World } from '../transport/world.js';
import type { Lane, WorkerFunction } from './lane.js';
import { Link, type LinkOwner } from './link.js';
import type { Assignment } from './requests.js';

/** Who is told about a session. */
export interface SessionOwner {
  readonly world: World;
  /** Name of this worker for the job server. */
  readonly id: string | undefined;
  /** A session is awake, or has a place less taken: ask for jobs. */
  onReady(): void;
  /** A job, for which a place was taken when it was asked for. */
  onAssigned(session: Session, link: Link, assignment: Assignment): void;
  /** A place that was taken to ask for a job is not needed. */
  onUnused(lane: Lane): void;
  /** The server has the lane's functions. */
  onRegistered(session: Session): void;
  /** The server does not have them any more, or cannot be reached. */
  onUnregistered(session: Session, error: GearmanError): void;
  /** It is closed, and so are all its sockets. */
  onGone(session: Session): void;
}

/** `awake`: there may be jobs; `dry`: there was none, and answers are still awaited; `asleep`: the server will say when there is one. */
type State =
  | { readonly name: 'connecting' | 'registering' | 'awake' | 'dry' | 'asleep'; readonly link: Link }
  | { readonly name: 'paused' | 'closed' };

/**
 * A NOOP that comes within so many milliseconds of falling asleep, and finds no job, is one of gearmand < 2.0 for a job whose time
 * has not come: it would go on so for ever.
 */
const SOON_MS = 50;
const FIRST_NAP_MS = 10;
const LONGEST_NAP_MS = 250;

/** See the head of this file. */
export class Session extends Timed implements LinkOwner {
  readonly address: Address;
  readonly lane: Lane;
  readonly #owner: SessionOwner;
  /** Every link whose socket is not gone: the active one, and those that are retired. */
  readonly #links = new Set<Link>();
  readonly #ending = new Set<Link>();
  #state: State = { name: 'paused' };
  #failures = 0;
  #isRegistered = false;
  #registeredMs = 0;
  #asleepSinceMs = 0;
  /** It woke by itself: one place is enough to find out whether there are jobs, or whether the server lives. */
  #isProbing = false;
  /** When a connection took the place of one that gave a job back, or will. */
  #replacedMs = -Infinity;
  /** How often in turn a NOOP came soon and found no job. */
  #falseAlarms = 0;

  constructor(address: Address, lane: Lane, owner: SessionOwner) {
    super();
    this.address = address;
    this.lane = lane;
    this.#owner = owner;
    this.#connect();
  }

  /** Whether it may be asked for a job. */
  get isAwake(): boolean {
    return this.#state.name === 'awake';
  }

  /** Whether the server had no job when it was asked last. */
  get isAsleep(): boolean {
    return this.#state.name === 'asleep';
  }

  /** Whether the server has its functions, or did until a connection took the place of another a moment ago. */
  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  /** Asks for a job, for which a place was taken. */
  grab(): void {
    if (this.#state.name !== 'awake') return;
    const { link } = this.#state;
    link.grab(this.lane.grabType);
    if (this.#isProbing) this.#state = { name: 'dry', link };
    this.#isProbing = false;
  }

  /** A function was added to the lane. */
  register(name: string, { settings }: WorkerFunction): void {
    if (!('link' in this.#state) || this.#state.name === 'connecting') return;
    canDo(this.#state.link, name, settings.serverTimeout);
    if (this.#state.name === 'asleep' || this.#state.name === 'dry') this.#wake(this.#state.link);
  }

  /** A function was removed from the lane: only another connection is without it and leaves the jobs that run alone. */
  replace(): void {
    if (this.#state.name === 'closed' || !('link' in this.#state)) return;
    const { link } = this.#state;
    this.#connect();
    this.#endIfEmpty(link);
  }

  /** The link does not hold a job any more. Where one is given back the link is to be closed: the server takes it back then. */
  released(link: Link, isGivenBack: boolean): void {
    if (isGivenBack && this.#isActive(link)) this.#giveBack(link);
    else if (!this.#isActive(link)) this.#endIfEmpty(link);
  }

  /** Asks for no more jobs, lets those that run end, and closes. */
  close(): void {
    if (this.#state.name === 'closed') return;
    this.#deadlines.stop(this);
    this.#state = { name: 'closed' };
    for (const link of this.#links) this.#endIfEmpty(link);
    if (this.#links.size === 0) this.#owner.onGone(this);
  }

  /** Closes now; the server gives the jobs that run to others. */
  destroy(error: GearmanError): void {
    this.close();
    for (const link of this.#links) link.destroy(error);
  }

  onUp(link: Link): void {
    if (!this.#isActive(link)) return;
    this.#state = { name: 'registering', link };
    if (this.#owner.id !== undefined) link.say(TYPE.SET_CLIENT_ID, [this.#owner.id]);
    for (const [name, { settings }] of this.lane.functions) canDo(link, name, settings.serverTimeout);
    link.whenDone(() => {
      this.#onRegistered(link);
    });
    this.#deadlines.start(this, this.#owner.world.settings.connectTimeout);
  }

  onGrabbed(link: Link, assignment: Assignment | undefined): void {
    if (this.#isActive(link)) this.#onAnswer(link, assignment !== undefined);
    if (assignment === undefined) this.#owner.onUnused(this.lane);
    else this.#owner.onAssigned(this, link, assignment);
    this.#endIfEmpty(link);
    this.#owner.onReady();
  }

  onNoop(link: Link): void {
    if (!this.#isActive(link) || this.#state.name !== 'asleep') return;
    const isSoon = this.#deadlines.now() - this.#asleepSinceMs < SOON_MS;
    this.#falseAlarms = isSoon ? this.#falseAlarms + 1 : 0;
    if (this.#falseAlarms <= 1) this.#wake(link);
    else this.#deadlines.start(this, Math.min(LONGEST_NAP_MS, FIRST_NAP_MS * 2 ** (this.#falseAlarms - 2)));
  }

  onDown(link: Link, error: GearmanError): void {
    if (this.#isActive(link)) this.#onLost(error);
    for (; link.grabs > 0; link.grabs--) this.#owner.onUnused(this.lane);
  }

  onGone(link: Link): void {
    this.#links.delete(link);
    this.#ending.delete(link);
    if (this.#state.name === 'closed' && this.#links.size === 0) this.#owner.onGone(this);
  }

  /** A pause is over, a server has not answered the registration, or the time of a heartbeat has passed. */
  override onDue(): void {
    const state = this.#state;
    if (state.name === 'paused') {
      this.#connect();
    } else if (state.name === 'registering') {
      const { name: server } = this.address;
      const within = `${String(this.#owner.world.settings.connectTimeout)} ms (the option connectTimeout)`;
      const message = `${server} accepted a connection and did not answer within ${within}.`;
      state.link.destroy(gearmanError('GEARMAN_TIMEOUT', message, { server }));
    } else if (state.name === 'asleep') {
      // Old servers wake nobody when a job's time has come; and an answer shows that the server lives.
      this.#isProbing = true;
      this.#wake(state.link);
    }
  }

  get #deadlines() {
    return this.#owner.world.deadlines;
  }

  #isActive(link: Link): boolean {
    return 'link' in this.#state && this.#state.link === link;
  }

  #connect(): void {
    const link = new Link(this.address, this.#owner.world, this);
    this.#links.add(link);
    this.#state = { name: 'connecting', link };
    this.#deadlines.stop(this);
  }

  /** However many jobs are given back, and however often, one connection takes the place of another in so much time. */
  #giveBack(link: Link): void {
    const now = this.#deadlines.now();
    this.#replacedMs = Math.max(now, this.#replacedMs + this.#owner.world.settings.backoff.min);
    if (this.#replacedMs === now) {
      this.replace();
      return;
    }
    this.#state = { name: 'paused' };
    this.#deadlines.start(this, this.#replacedMs - now);
    this.#endIfEmpty(link);
  }

  #onRegistered(link: Link): void {
    if (!this.#isActive(link) || this.#state.name !== 'registering') return;
    debug.worker('%s has %s', this.address.name, [...this.lane.functions.keys()].join(', '));
    this.#wake(link);
    if (this.#isRegistered) return;
    this.#isRegistered = true;
    this.#registeredMs = this.#deadlines.now();
    this.#owner.onRegistered(this);
  }

  #onLost(error: GearmanError): void {
    const { settings, runtime } = this.#owner.world;
    // A server that registers us and dies again and again, over a job that is too large for us perhaps, is none that works.
    const hasWorked = this.#isRegistered && this.#deadlines.now() - this.#registeredMs >= settings.backoff.max;
    this.#failures = hasWorked ? 1 : this.#failures + 1;
    this.#state = { name: 'paused' };
    this.#deadlines.start(this, pauseAfter(this.#failures, settings.backoff, runtime.random()));
    debug.worker('%s is left alone for a while: %s', this.address.name, error.message);
    this.#isRegistered = false;
    this.#owner.onUnregistered(this, error);
  }

  #onAnswer(link: Link, hasJob: boolean): void {
    if (hasJob) this.#falseAlarms = 0;
    this.#state = { name: hasJob ? 'awake' : 'dry', link };
    if (hasJob || link.grabs > 0) return;
    link.say(TYPE.PRE_SLEEP, []);
    this.#state = { name: 'asleep', link };
    this.#asleepSinceMs = this.#deadlines.now();
    this.#deadlines.start(this, this.#owner.world.settings.heartbeat);
  }

  #wake(link: Link): void {
    this.#deadlines.stop(this);
    this.#state = { name: 'awake', link };
    this.#owner.onReady();
  }

  #endIfEmpty(link: Link): void {
    if (!link.isEmpty || this.#ending.has(link) || this.#isActive(link)) return;
    this.#ending.add(link);
    link.end();
  }
}

function canDo(link: Link, name: string, serverTimeout: number | undefined): void {
  if (serverTimeout === undefined) link.say(TYPE.CAN_DO, [name]);
  else link.say(TYPE.CAN_DO_TIMEOUT, [name, String(Math.ceil(serverTimeout))]);
}
