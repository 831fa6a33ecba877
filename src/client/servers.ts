/** Which job servers a client has: those that were named, or the default while none ever was. */
import { defaultServers, parseServer, parseServers, type ServerAddress, type Servers } from '../transport/address.js';
import type { Pool } from '../transport/pool.js';
import type { Settings } from './options.js';

/** See the head of this file. */
export class NamedServers {
  readonly #pool: Pool;
  readonly #settings: Settings;
  /** `none`: nobody named a server and none is in the pool; `default`: the default is; `named`: it never will be again. */
  #kind: 'none' | 'default' | 'named' = 'none';

  constructor(pool: Pool, settings: Settings) {
    this.#pool = pool;
    this.#settings = settings;
  }

  /** Adds servers, in place of the default if that is in the pool. Throws, and adds none, when one of them is bad. */
  add(servers: Servers): void {
    const addresses = parseServers(servers, this.#settings.tls);
    const names = addresses.map(({ name }) => name);
    const replaced = this.#kind === 'default' ? this.#pool.names.filter((name) => !names.includes(name)) : [];
    for (const address of addresses) this.#pool.check(address);
    for (const address of addresses) this.#pool.add(address);
    for (const name of replaced) this.#pool.remove(name);
    this.#kind = 'named';
  }

  /** Takes a server out, named in any way that {@link add} reads or by its name; one that is not there is ignored. */
  remove(server: string | ServerAddress): void {
    this.fillIn();
    const name = typeof server === 'string' && this.#pool.find(server) ? server : parseServer(server).name;
    this.#pool.remove(name);
    if (this.#kind === 'default') this.#kind = 'named';
  }

  /** A call is made: if no server was ever named, puts in those of the environment, else 127.0.0.1:4730. */
  fillIn(): void {
    if (this.#kind !== 'none') return;
    for (const address of defaultServers(this.#settings.tls)) this.#pool.add(address);
    this.#kind = 'default';
  }
}
