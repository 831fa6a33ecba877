/** The worker in a connection: what it can do, what it runs, and whether it sleeps. */
import type { Holder, Job, JobFunction } from './job.js';

/** A function that a worker has registered. One that it has registered twice counts twice. */
export interface Ability {
  readonly fn: JobFunction;
  /** How long it may take over a job, in milliseconds; 0 for ever. */
  readonly timeoutMs: number;
}

/** `called`: it was sent a NOOP, and gets no other one before it has grabbed. */
type State = 'awake' | 'asleep' | 'called';

/** See the head of this file. The queue moves jobs in and out of {@link running}. */
export class Worker implements Holder {
  readonly running: Set<Job> = new Set<Job>();
  readonly #sendNoop: () => void;
  /** In the order in which they are served: the latest first, as gearmand has it. */
  #abilities: Ability[] = [];
  #state: State = 'awake';

  constructor(sendNoop: () => void) {
    this.#sendNoop = sendNoop;
  }

  get abilities(): readonly Ability[] {
    return this.#abilities;
  }

  canDo(ability: Ability): void {
    this.#abilities.unshift(ability);
    ability.fn.workers++;
    if (this.#state === 'asleep') ability.fn.sleeping.add(this);
  }

  /** It does a function no longer, or none of them. The jobs that it runs are not looked at. */
  cantDo(fn?: JobFunction): void {
    const isKept = (ability: Ability): boolean => fn !== undefined && ability.fn !== fn;
    for (const ability of this.#abilities) {
      if (isKept(ability)) continue;
      ability.fn.workers--;
      ability.fn.sleeping.delete(this);
    }
    this.#abilities = this.#abilities.filter(isKept);
  }

  /** Whoever takes turns serves this one last from now on. */
  moveLast(ability: Ability): void {
    this.#abilities.splice(this.#abilities.indexOf(ability), 1);
    this.#abilities.push(ability);
  }

  sleep(): void {
    if (this.#state !== 'awake') return;
    this.#state = 'asleep';
    for (const { fn } of this.#abilities) fn.sleeping.add(this);
  }

  wake(): void {
    if (this.#state !== 'asleep') return;
    this.#state = 'called';
    this.#leaveBeds();
    this.#sendNoop();
  }

  /** It grabs. */
  rise(): void {
    if (this.#state === 'asleep') this.#leaveBeds();
    this.#state = 'awake';
  }

  #leaveBeds(): void {
    for (const { fn } of this.#abilities) fn.sleeping.delete(this);
  }
}
