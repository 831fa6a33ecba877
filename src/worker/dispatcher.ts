/** Shares the worker's places out among its sessions, so that no job is asked for that could not start, and runs what comes. */
import type { GearmanError } from '../errors.js';
import type { Address } from '../transport/address.js';
import type { Deadlines } from '../transport/deadlines.js';
import type { World } from '../transport/world.js';
import type { Job } from './job.js';
import { Lane, type WorkerFunction } from './lane.js';
import type { Link } from './link.js';
import type { WorkerSettings } from './options.js';
import type { Assignment } from './requests.js';
import { Session, type SessionOwner } from './session.js';
import { Task, type TaskOwner } from './task.js';

/** Who is told what happens. */
export interface DispatcherOwner {
  onJobStart(job: Job): void;
  onJobEnd(task: Task): void;
  onConnect(server: string): void;
  onDisconnect(server: string, error: GearmanError): void;
  /** No job runs, and every server that has the functions has said that it has none; or no more are wanted. */
  onIdle(): void;
  /** After {@link Dispatcher.close}: every socket is closed. */
  onGone(): void;
}

/** See the head of this file. */
export class Dispatcher implements SessionOwner, TaskOwner {
  readonly world: World;
  readonly id: string | undefined;
  readonly deadlines: Deadlines;
  readonly #settings: WorkerSettings;
  readonly #addresses: readonly Address[];
  readonly #owner: DispatcherOwner;
  /** The functions without a limit of their own. */
  readonly #common: Lane;
  /** The lane of each function, by its name on the wire. */
  readonly #lanes = new Map<string, Lane>();
  /** How many jobs of each function run, by its name on the wire. */
  readonly #runningOf = new Map<string, number>();
  /** In the order in which they are asked for a job. */
  readonly #sessions: Session[] = [];
  /** Sessions that close. */
  readonly #leaving = new Set<Session>();
  /** What was told of each server last, by its name: that it has all functions, or that it does not. */
  readonly #told = new Map<string, 'connect' | 'disconnect'>();
  /** Places that are taken: by jobs that run, and by requests for one. */
  #taken = 0;
  /** How many jobs may still be asked for. */
  #left: number;
  #state: 'new' | 'started' | 'closed' = 'new';
  #isPaused = false;

  constructor(world: World, settings: WorkerSettings, addresses: readonly Address[], owner: DispatcherOwner) {
    this.world = world;
    this.id = settings.id;
    this.deadlines = world.deadlines;
    this.#settings = settings;
    this.#addresses = addresses;
    this.#owner = owner;
    this.#common = new Lane(settings.concurrency, () => 0);
    this.#left = settings.maxJobs;
  }

  /** Whether there are functions. */
  get hasFunctions(): boolean {
    return this.#lanes.size > 0;
  }

  /** Whether as many jobs as were wanted have been asked for. */
  get isSpent(): boolean {
    return this.#left === 0;
  }

  /** Whether a handler runs. */
  get isRunning(): boolean {
    return this.#runningOf.size > 0;
  }

  /** Whether a server has the functions. */
  get isConnected(): boolean {
    return [...this.#told.values()].includes('connect');
  }

  /** Whether no more jobs are asked for at present. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  has(name: string): boolean {
    return this.#lanes.has(name);
  }

  /** Adds a function; the servers learn of it at once if they have the others. */
  add(fn: WorkerFunction): void {
    const { nameOnWire: name, settings } = fn;
    const running = (): number => this.#runningOf.get(name) ?? 0;
    const lane = settings.concurrency === undefined ? this.#common : new Lane(settings.concurrency, running);
    const isNew = lane.functions.size === 0;
    lane.functions.set(name, fn);
    this.#lanes.set(name, lane);
    if (this.#state === 'new') return;
    if (isNew) this.#open(lane);
    else for (const session of this.#sessionsOf(lane)) session.register(name, fn);
  }

  /** Removes a function; its jobs that run may end. */
  remove(name: string): void {
    const lane = this.#lanes.get(name);
    if (lane === undefined) return;
    this.#lanes.delete(name);
    lane.functions.delete(name);
    for (const session of this.#sessionsOf(lane)) {
      if (lane.functions.size === 0) this.#leave(session);
      else session.replace();
    }
    // What is left may be registered.
    for (const address of this.#addresses) this.#tellIfConnected(address);
  }

  /** Connects. */
  start(): void {
    this.#state = 'started';
    for (const lane of new Set(this.#lanes.values())) this.#open(lane);
  }

  /** Asks for no more jobs, or does again. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.onReady();
  }

  /** Asks for no more jobs, lets those that run end, and closes all connections. */
  close(): void {
    this.#state = 'closed';
    for (const session of [...this.#sessions]) this.#leave(session);
    if (this.#leaving.size === 0) this.#owner.onGone();
  }

  /** After {@link close}: does not wait any more. */
  destroy(error: GearmanError): void {
    for (const session of this.#leaving) session.destroy(error);
  }

  onReady(): void {
    while (this.#mayAsk) {
      const index = this.#sessions.findIndex(({ isAwake, lane }) => isAwake && lane.hasRoom);
      const [session] = index === -1 ? [] : this.#sessions.splice(index, 1);
      if (session === undefined) return;
      // To the end of the line, so that each server has its turn.
      this.#sessions.push(session);
      this.#taken++;
      this.#left--;
      session.lane.ask();
      session.grab();
    }
  }

  onAssigned(session: Session, link: Link, assignment: Assignment): void {
    const fn = session.lane.functions.get(assignment.function);
    if (fn === undefined) {
      // It was removed while the request was under way.
      this.onUnused(session.lane);
      session.released(link, true);
      return;
    }
    session.lane.answered();
    this.#runningOf.set(fn.nameOnWire, (this.#runningOf.get(fn.nameOnWire) ?? 0) + 1);
    const task = new Task(this, session, { link, assignment, fn });
    link.hold(task);
    this.#owner.onJobStart(task.job);
    void task.run();
  }

  onTaskEnd(task: Task): void {
    const { nameOnWire } = task.fn;
    const others = (this.#runningOf.get(nameOnWire) ?? 0) - 1;
    if (others > 0) this.#runningOf.set(nameOnWire, others);
    else this.#runningOf.delete(nameOnWire);
    this.#taken--;
    this.#owner.onJobEnd(task);
    this.#onFree();
  }

  onUnused(lane: Lane): void {
    this.#left++;
    this.#taken--;
    lane.answered();
    this.#onFree();
  }

  onRegistered({ address }: Session): void {
    this.#tellIfConnected(address);
  }

  onUnregistered({ address }: Session, error: GearmanError): void {
    if (this.#told.get(address.name) === 'disconnect') return;
    this.#told.set(address.name, 'disconnect');
    this.#owner.onDisconnect(address.name, error);
  }

  onGone(session: Session): void {
    this.#leaving.delete(session);
    if (this.#state === 'closed' && this.#leaving.size === 0 && this.#sessions.length === 0) this.#owner.onGone();
  }

  #tellIfConnected(address: Address): void {
    const sessions = this.#sessions.filter((session) => session.address === address);
    const hasAll = sessions.length > 0 && sessions.every(({ isRegistered }) => isRegistered);
    if (!hasAll || this.#told.get(address.name) === 'connect') return;
    this.#told.set(address.name, 'connect');
    this.#owner.onConnect(address.name);
  }

  get #mayAsk(): boolean {
    const isWanted = this.#state === 'started' && !this.#isPaused && this.#left > 0;
    return isWanted && this.#taken < this.#settings.concurrency;
  }

  #onFree(): void {
    this.onReady();
    if (this.#taken === 0 && this.#hasNothing) this.#owner.onIdle();
  }

  /** Whether no job is wanted, or every server that has the functions has said that it has none. */
  get #hasNothing(): boolean {
    if (this.#state !== 'started' || this.#isPaused || this.isSpent) return true;
    const registered = this.#sessions.filter(({ isRegistered }) => isRegistered);
    return registered.length > 0 && registered.every(({ isAsleep }) => isAsleep);
  }

  #open(lane: Lane): void {
    for (const address of this.#addresses) this.#sessions.push(new Session(address, lane, this));
  }

  #sessionsOf(lane: Lane): Session[] {
    return this.#sessions.filter((session) => session.lane === lane);
  }

  #leave(session: Session): void {
    this.#sessions.splice(this.#sessions.indexOf(session), 1);
    this.#leaving.add(session);
    if (!this.#sessions.some(({ address }) => address === session.address)) this.#told.delete(session.address.name);
    session.close();
  }
}
