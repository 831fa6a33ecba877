/** Which servers issued a job handle to this client: two servers on hosts of the same name issue the same handles. */
import { MAX_HANDLE_BYTES, checkHandle } from '../protocol/arguments.js';

/** So many handles are remembered at least, and at most twice as many. */
const GENERATION = 65_536;

/** A handle with the name of its server. */
export interface Located {
  readonly handle: string;
  /** As it was written; none where the handle came alone. */
  readonly server: string | undefined;
}

/**
 * Remembers the servers of the latest handles. Two generations: when the younger one is full it becomes the older one, whose handles
 * are forgotten at once (deleting the oldest keys of a Map one by one takes 40 us each).
 */
export class Handles {
  #younger = new Map<string, string | readonly string[]>();
  #older: ReadonlyMap<string, string | readonly string[]> = new Map<string, string>();

  /** The server issued the handle to us. */
  remember(handle: string, server: string): void {
    // Longer ones cannot be asked for.
    if (handle.length > MAX_HANDLE_BYTES) return;
    const known = this.#younger.get(handle) ?? this.#older.get(handle);
    if (known === undefined || known === server) this.#younger.set(handle, server);
    else this.#younger.set(handle, [...new Set([known, server].flat())]);
    if (this.#younger.size < GENERATION) return;
    this.#older = this.#younger;
    this.#younger = new Map();
  }

  /** The servers that are remembered to have issued it. */
  serversOf(handle: string): readonly string[] {
    const known = this.#younger.get(handle) ?? this.#older.get(handle) ?? [];
    return typeof known === 'string' ? [known] : known;
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
