/** Which servers issued a job handle to this client: two servers on hosts of the same name issue the same handles. */
import { checkHandle } from '../protocol/arguments.js';
import type { Packet } from '../protocol/incoming.js';
import { Issued } from './issued.js';

/** So many handles are remembered at least, of all servers together, and at most twice as many. */
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
  /** The server that was asked for last, and its handles: mostly it is asked for again. */
  #server = '';
  #issued = new Issued();

  /** Whether no other server issued handles. */
  isOfNoneBut(server: string): boolean {
    return this.servers.size === 0 || (this.servers.size === 1 && server === this.#server);
  }

  /** The handles of that server. */
  of(server: string): Issued {
    if (server !== this.#server) {
      this.#issued = this.servers.get(server) ?? new Issued();
      this.#server = server;
      this.servers.set(server, this.#issued);
    }
    return this.#issued;
  }
}

/**
 * Remembers the servers of the latest handles. Two generations: when the younger one is full it becomes the older one, whose handles
 * are forgotten at once (deleting the oldest keys of a Map one by one takes 40 us each).
 */
export class Handles {
  #younger = new Generation();
  #older = new Generation();

  /**
   * The handle that a server has issued to us in a JOB_CREATED; from now on it is remembered.
   * @throws GearmanProtocolError `GEARMAN_UNEXPECTED_PACKET` when the packet holds none
   */
  read(packet: Packet, server: string): string {
    const issued = this.#younger.of(server);
    const { size } = issued;
    const handle = issued.read(packet);
    this.#younger.size += issued.size - size;
    if (!this.#older.isOfNoneBut(server)) this.#renew(handle, issued, server);
    if (this.#younger.size >= GENERATION) {
      this.#older = this.#younger;
      this.#younger = new Generation();
    }
    return handle;
  }

  /** What the older generation knows of others that issued the handle, too, goes over to the younger one. */
  #renew(handle: string, issued: Issued, server: string): void {
    for (const [name, other] of this.#older.servers) {
      if (name === server || !other.hasLastOf(issued, handle)) continue;
      const renewed = this.#younger.of(name);
      const { size } = renewed;
      renewed.add(handle);
      this.#younger.size += renewed.size - size;
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
