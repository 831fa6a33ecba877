/**
 * The outside world: sockets, clocks, timers, randomness. Nothing else in `src` touches them, so that tests and simulations can
 * put another world in this one's place.
 */
import { AsyncResource } from 'node:async_hooks';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { asError } from './errors.js';

/** Where to connect, and how. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** TLS options; plain TCP where there are none. */
  readonly tls: tls.ConnectionOptions | undefined;
  /** How long one address of a name is tried before the next one is, in milliseconds. */
  readonly addressTimeoutMs: number;
}

/** Where to accept connections, and how. */
export interface Place {
  readonly host: string;
  /** 0 is any that is free. */
  readonly port: number;
  /** TLS options; plain TCP where there are none. */
  readonly tls: tls.TlsOptions | undefined;
}

/** A place at which connections are accepted. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Accepts no more, and destroys the sockets of all that were; resolves when nothing is left of them. */
  close(): Promise<void>;
}

/** The longest time that a timer of Node takes, about 24.8 days. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1;

/** A timer that has not run yet. */
export interface Timer {
  /** Let it keep the process alive (`true`, as it starts) or not. */
  hold(held: boolean): void;
  /** It will not run. */
  cancel(): void;
}

/** Everything that clients, workers and job servers need from outside. */
export interface Runtime {
  /**
   * Opens a socket that never keeps the process alive; `onUp` runs when it is connected, over TLS when that is verified, too. What
   * is wrong with the target the socket says, as an `error`.
   */
  readonly connect: (target: Target, onUp: () => void) => Duplex;
  /**
   * Accepts connections and hands each on, over TLS when its handshake is done, with the peer's IP address. Rejects with the system's
   * error where that cannot be.
   */
  readonly listen: (place: Place, onSocket: (socket: Duplex, host: string) => void) => Promise<Listener>;
  /** Milliseconds that only go forward, also while the process is stopped. */
  readonly now: () => number;
  /** Milliseconds since 1970, as the system has them. */
  readonly wallClock: () => number;
  readonly setTimer: (callback: () => void, ms: number) => Timer;
  /** Runs when what runs now is done, before any time passes or a socket is read. */
  readonly endOfTick: (callback: () => void) => void;
  /** Runs once the sockets that are readable now have been read. */
  readonly afterPoll: (callback: () => void) => void;
  readonly fillRandom: (bytes: Uint8Array) => void;
  /** In [0, 1); need not be unpredictable. */
  readonly random: () => number;
}

const KEEP_ALIVE_MS = 30_000;

/** How much a socket reads at once, in bytes. */
const READ_BYTES = 65_536;

/**
 * Sockets and timers outlive the call that happens to make them, so they must not carry its AsyncLocalStorage context on: they get
 * that in which this file was loaded.
 */
const outside = new AsyncResource('GEARMAN');

/** What cannot even be tried, as with TLS options that are wrong, fails as any connection does: one server, not its callers. */
function tryToOpen(target: Target, onUp: () => void): Duplex {
  try {
    return open(target, onUp);
  } catch (error) {
    return new Duplex().destroy(asError(error));
  }
}

function open(target: Target, onUp: () => void): net.Socket {
  const { host, port } = target;
  // Node drops an attempt after 250 ms otherwise, which is less than a round trip to some servers.
  const tcp = { host, port, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: target.addressTimeoutMs };
  const onread = readInto((chunk) => socket.emit('data', chunk));
  const options = { ...target.tls, ...tcp, onread };
  const socket: net.Socket = target.tls === undefined ? net.connect(options) : tls.connect(options);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  socket.unref();
  // The handle is another one when the second address of a name wins, and that one is referenced again.
  socket.once('connect', () => socket.unref());
  socket.once(target.tls === undefined ? 'connect' : 'secureConnect', onUp);
  return socket;
}

/**
 * Reads into the same memory each time, and hands on copies. Left alone, Node allocates 64 KiB for each read, gives back what is too
 * much and lets the chunk pass through its stream, which takes a tenth of a round trip.
 *
 * Each copy has memory of its own: chunks that share some would be cloned together for a thread, and kept by what is kept of one.
 */
function readInto(onData: (chunk: Buffer) => void): net.OnReadOpts {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  return {
    buffer,
    callback: (count) => {
      const chunk = Buffer.allocUnsafeSlow(count);
      buffer.copy(chunk, 0, 0, count);
      onData(chunk);
      return true;
    },
  };
}

async function accept(place: Place, onSocket: (socket: Duplex, host: string) => void): Promise<Listener> {
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  const server = place.tls === undefined ? net.createServer(options) : tls.createServer({ ...options, ...place.tls });
  const sockets = new Set<net.Socket>();
  // Also those whose TLS handshake is not over.
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on(place.tls === undefined ? 'connection' : 'secureConnection', (socket: net.Socket) => {
    onSocket(socket, socket.remoteAddress ?? '');
  });
  server.listen(place.port, place.host);
  await once(server, 'listening');
  // What fails later is one connection that could not be accepted.
  server.on('error', () => undefined);
  const { address, port } = server.address() as net.AddressInfo;
  return {
    host: address,
    port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The real world. */
export const nodeRuntime: Runtime = {
  connect: (target, onUp) => outside.runInAsyncScope(tryToOpen, undefined, target, onUp),
  listen: (place, onSocket) => outside.runInAsyncScope(accept, undefined, place, onSocket),
  now: () => performance.now(),
  wallClock: () => Date.now(),
  setTimer: (callback, ms) => {
    const timer = outside.runInAsyncScope(() => setTimeout(callback, ms));
    return {
      hold: (held) => {
        if (held) timer.ref();
        else timer.unref();
      },
      cancel: () => {
        clearTimeout(timer);
      },
    };
  },
  endOfTick: (callback) => {
    queueMicrotask(callback);
  },
  afterPoll: (callback) => {
    outside.runInAsyncScope(() => setImmediate(callback));
  },
  fillRandom: (bytes) => {
    randomFillSync(bytes);
  },
  random: () => Math.random(),
};
