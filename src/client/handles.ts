/** Which servers issued a job handle to this client: two servers on hosts of the same name issue the same handles. */
import { MAX_HANDLE_BYTES, checkHandle } from '../protocol/arguments.js';
import { Issued } from './issued.js';

/** So many handles are remembered at least, and at most twice as many. */
const GENERATION = 65_536;

/** A handle with the name of its server. */
export interface Located {
  readonly handle: string;
  /** As it was written; none where the handle came alone. */
  readonly server: string | undefined;
}

/** The handles of a time, by server. */
class Generation {
  readonly servers: Map<string, Issued> = new Map<string, Issued>();
  /** Number of handles; one that several servers issued counts for each. */
  size = 0;
  /** The server that issued the last one, and its handles: mostly the next one is of the same server. */
  #server = '';
  #issued = new Issued();

  /** Whether nobody but this server issued handles. */
  isOf(server: string): boolean {
    return this.servers.size === 1 && server === this.#server;
  }

  add(handle: string, server: string): void {
    if (server !== this.#server) this.#turnTo(server);
    if (this.#issued.add(handle)) this.size++;
  }

  #turnTo(server: string): void {
    const issued = this.servers.get(server) ?? new Issued();
    this.servers.set(server, issued);
    this.#server = server;
    this.#issued = issued;
  }
}

/**
 * Remembers the servers of the latest handles. Two generations: when the younger one is full it becomes the older one, whose handles
 * are forgotten at once (deleting the oldest keys of a Map one by one takes 40 us each).
 */
export class Handles {
  #younger = new Generation();
  #older = new Generation();

  /** The server issued the handle to us. */
  remember(handle: string, server: string): void {
    // Longer ones cannot be asked for.
    if (handle.length > MAX_HANDLE_BYTES) return;
    // That others issued it, too, is not forgotten before this.
    if (!this.#older.isOf(server)) this.#renew(handle, server);
    this.#younger.add(handle, server);
    if (this.#younger.size < GENERATION) return;
    this.#older = this.#younger;
    this.#younger = new Generation();
  }

  /** What the older generation knows of other servers that issued the handle goes over to the younger one. */
  #renew(handle: string, server: string): void {
    for (const [other, issued] of this.#older.servers) {
      if (other !== server && issued.has(handle)) this.#younger.add(handle, other);
    }
  }

  /** The servers that are remembered to have issued it. */
  serversOf(handle: string): readonly string[] {
    const servers: string[] = [];
    for (const generation of [this.#younger, this.#older]) {
      for (const [server, issued] of generation.servers) {
        if (issued.has(handle) && !servers.includes(server)) servers.push(server);
      }
    }
    return servers;
  }

  /**
   * Splits an id (`name//handle`, as `BackgroundJob` and Perl's Gearman::Client have it); a handle that comes alone stays alone.
   * @throws GearmanArgumentError when the handle is none
   */
  locate(handleOrId: unknown): Located {
    const separator = typeof handleOrId === 'string' ? handleOrId.indexOf('//') : -1;
    if (typeof handleOrId !== 'string' || separator === -1 || this.serversOf(handleOrId).length > 0) {
      return { handle: checkHandle(handleOrId), server: undefined };
    }
    return { handle: checkHandle(handleOrId.slice(separator + 2)), server: handleOrId.slice(0, separator) };
  }
}

/** What to store to find a job again, in any process: the server's name and the handle. */
export function idOf(server: string, handle: string): string {
  return `${server}//${handle}`;
}
