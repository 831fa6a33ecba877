/** Sockets: up in time, or an error that says why; over in one way. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import type { GearmanError } from '../../src/errors.js';
import { nodeRuntime, type Target } from '../../src/runtime.js';
import type { Address } from '../../src/transport/address.js';
import { Deadlines } from '../../src/transport/deadlines.js';
import { ServerSocket, type SocketOwner } from '../../src/transport/socket.js';
import { settleDown } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Condition } from '../support/condition.js';
import { Peer, type PeerConnection } from '../support/peer.js';

const MIB = 1024 * 1024;

/** Writes down what it is told. */
class Owner implements SocketOwner {
  readonly events: string[] = [];
  readonly errors: GearmanError[] = [];
  readonly #condition = new Condition();

  onUp(): void {
    this.#note('up');
  }

  onData(chunk: Buffer): void {
    this.#note(`data ${chunk.toString()}`);
  }

  onDrain(): void {
    this.#note('drain');
  }

  onSent(): void {
    this.#note('sent');
  }

  onDown(error: GearmanError): void {
    this.errors.push(error);
    this.#note('down');
  }

  onGone(): void {
    this.#note('gone');
  }

  /** Resolves when the system has closed the socket. */
  get gone(): Promise<void> {
    return this.until('gone');
  }

  async until(event: string): Promise<void> {
    await this.#condition.until(() => this.events.includes(event));
  }

  #note(event: string): void {
    this.events.push(event);
    this.#condition.changed();
  }
}

/** A socket that does what the test says. */
class PuppetSocket extends Duplex {
  readonly written: string[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk.toString());
    done();
  }
}

const settings = {
  connectTimeout: 3000,
  heartbeat: 3000,
  backoff: { min: 100, max: 1000 },
  maxInFlight: 10,
  maxPacketSize: 1000,
};

function open(address: Partial<Address>, clock = new Clock()) {
  const owner = new Owner();
  const full = { host: '127.0.0.1', port: 4730, name: 'peer', tls: undefined, ...address };
  const world = { settings, runtime: clock, deadlines: new Deadlines(clock), isIssued: () => false };
  const socket = new ServerSocket(full, world, owner);
  return { owner, socket, clock };
}

async function connected(t: TestContext) {
  const peer = await Peer.start(t);
  const { owner, socket } = open({ port: peer.port });
  const connection: PeerConnection = await peer.connection(0);
  await owner.until('up');
  t.after(() => owner.gone);
  return { owner, socket, connection };
}

/** A socket whose other side takes what the test says, in the order in which it came. */
class FullSocket extends Duplex {
  /** What the other side has taken. */
  readonly taken: Buffer[] = [];
  #untaken: { chunk: Buffer; done: () => void } | undefined;

  constructor(writableHighWaterMark: number) {
    super({ writableHighWaterMark });
  }

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#untaken = { chunk, done };
  }

  /** The other side takes one chunk; resolves when the socket has been told so. */
  async takeChunk(): Promise<void> {
    const { chunk, done } = this.#untaken ?? {};
    this.#untaken = undefined;
    if (chunk !== undefined) this.taken.push(chunk);
    done?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  get isTaken(): boolean {
    return this.#untaken === undefined;
  }
}

/** A world in which the socket is the puppet. */
function puppet<Socket extends Duplex>(duplex: Socket) {
  const seen: { up: () => void; target?: Target } = { up: () => undefined };
  const clock = Object.assign(new Clock(), {
    connect: (target: Target, onUp: () => void) => {
      seen.target = target;
      seen.up = onUp;
      return duplex;
    },
  });
  return { duplex, clock, seen };
}

describe('a socket that comes up', () => {
  it('carries bytes both ways', async (t) => {
    const { owner, socket, connection } = await connected(t);
    connection.socket.write('hello');
    await owner.until('data hello');
    connection.socket.removeAllListeners('data');
    let text = '';
    const whole = new Promise<void>((resolve) => {
      connection.socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.length === 2) resolve();
      });
    });
    socket.write([Buffer.from('a'), Buffer.from('b')]);
    await whole;
    assert.equal(text, 'ab');
    connection.end();
    await owner.until('down');
  });

  it('is found by a name of several addresses', async (t) => {
    const peer = await Peer.start(t);
    const { owner } = open({ host: 'localhost', port: peer.port }, new Clock());
    await owner.until('up');
    (await peer.connection(0)).reset();
    await owner.gone;
    assert.deepEqual(owner.events, ['up', 'down', 'gone']);
  });

  it('goes down when the server closes, and says so', async (t) => {
    const { owner, connection } = await connected(t);
    connection.end();
    await owner.gone;
    assert.deepEqual(owner.events, ['up', 'down', 'gone']);
    const [error] = owner.errors;
    assert.equal(error?.code, 'GEARMAN_LOST_CONNECTION');
    assert.equal(error.message, 'The connection to peer was lost: the server closed it.');
    assert.equal(error.server, 'peer');
    assert.equal(error.cause, undefined);
  });

  it('goes down when the server resets, with the cause', async (t) => {
    const { owner, connection } = await connected(t);
    connection.reset();
    await owner.gone;
    const [error] = owner.errors;
    assert.match(error?.message ?? '', /ECONNRESET/);
    assert.equal((error?.cause as NodeJS.ErrnoException).code, 'ECONNRESET');
  });

  it('is taken down once, and what comes after that is dropped', async (t) => {
    const { owner, socket, connection } = await connected(t);
    assert.deepEqual([socket.destroy(), socket.destroy()], [true, false]);
    connection.socket.write('late');
    await owner.gone;
    await settleDown();
    assert.deepEqual(owner.events, ['up', 'gone']);
  });

  it('says when it wants no more, and when it does again', async (t) => {
    const { owner, socket, connection } = await connected(t);
    connection.freeze();
    const chunk = Buffer.alloc(4 * 1024 * 1024);
    let writes = 0;
    do {
      socket.write([chunk]);
      writes++;
    } while (socket.isWritable);
    assert.ok(writes < 64, `${writes} writes`);
    await settleDown();
    assert.equal(owner.events.includes('drain'), false);
    connection.socket.removeAllListeners('data');
    connection.socket.on('data', () => undefined);
    connection.thaw();
    await owner.until('drain');
    connection.reset();
    await owner.until('down');
  });
});

describe('a socket that takes nothing for now', () => {
  const HELD = 256 * 1024;

  /** It is up and its other side takes nothing. */
  function full(highWaterMark = 16_384) {
    const { duplex, clock, seen } = puppet(new FullSocket(highWaterMark));
    const { owner, socket } = open({}, clock);
    seen.up();
    return { duplex, owner, socket };
  }

  /** A buffer of so many bytes, each of which tells where it stood. */
  const bytes = (length: number, from = 0): Buffer =>
    Buffer.from(Array.from({ length }, (_, index) => ((from + index) * 2_654_435_761) >>> 24));

  it('is not full before it was written to', () => {
    assert.equal(full().socket.isWritable, true);
  });

  it('gets on with a buffer of any size, however much Node lets it hold', async () => {
    for (const highWaterMark of [1, 16_384, 262_144, 262_145, MIB, 4 * MIB]) {
      const { duplex, socket } = full(highWaterMark);
      const payload = bytes(3 * MIB);
      socket.write([payload]);
      while (!duplex.isTaken) await duplex.takeChunk();
      assert.ok(Buffer.concat(duplex.taken).equals(payload), `everything, at a mark of ${highWaterMark}`);
      assert.equal(socket.isWritable, true);
    }
  });

  it('has got all of several buffers up to 256 KiB, so that no request is called unsent that is on its way', () => {
    const { duplex, socket } = full();
    socket.write([20_000, 20_000, 20_000, 20_000, 20_000].map((length) => bytes(length)));
    assert.equal(duplex.writableLength, 100_000);
    assert.equal(socket.isWritable, false);
    assert.equal(duplex.writableCorked, 0);
  });

  for (const [what, sizes] of [
    ['one buffer that is larger', [300_000]],
    ['many that are larger together', Array.from({ length: 20 }, () => 20_000)],
    ['one behind another', [200_000, 200_000]],
    ['one that is many times as large', [1_000_000, 1]],
  ] as const) {
    it(`has got 256 KiB of ${what}, and the rest in order when there is room, byte for byte`, async () => {
      const { duplex, owner, socket } = full();
      let total = 0;
      const buffers = sizes.map((length) => {
        total += length;
        return bytes(length, total);
      });
      socket.write(buffers);
      assert.equal(duplex.writableLength, HELD);
      assert.equal(socket.isWritable, false);
      while (!duplex.isTaken) {
        assert.deepEqual([socket.isWritable, owner.events.includes('drain')], [false, false]);
        await duplex.takeChunk();
        assert.equal(duplex.writableLength <= HELD, true, 'never more than that at once');
      }
      assert.equal(Buffer.concat(duplex.taken).equals(Buffer.concat(buffers)), true);
      assert.equal(socket.isWritable, true);
      assert.equal(owner.events.filter((event) => event === 'drain').length, 1);
    });
  }

  it('says that a part was sent whenever it gets the next one, and then that it takes more', async () => {
    const { duplex, owner, socket } = full();
    socket.write([bytes(3 * HELD)]);
    for (const expected of [
      ['up', 'sent'],
      ['up', 'sent', 'sent'],
      ['up', 'sent', 'sent', 'drain'],
    ]) {
      await duplex.takeChunk();
      assert.deepEqual(owner.events, expected);
    }
  });

  it('keeps the order of what is written while it is full', async () => {
    const { duplex, socket } = full();
    const buffers = [bytes(300_000), bytes(5, 7), bytes(400_000, 9), bytes(1, 11)];
    for (const buffer of buffers) socket.write([buffer]);
    assert.equal(duplex.writableLength, HELD);
    while (!duplex.isTaken) await duplex.takeChunk();
    assert.equal(Buffer.concat(duplex.taken).equals(Buffer.concat(buffers)), true);
  });

  it('gets nothing more once it is down', async () => {
    const { duplex, owner, socket } = full();
    socket.write([bytes(300_000)]);
    socket.destroy();
    await duplex.takeChunk();
    await owner.gone;
    assert.equal(duplex.taken.length, 1);
    assert.deepEqual(owner.events, ['up', 'gone']);
  });
});

describe('a socket that does not come up', () => {
  it('names the server and the cause', async (t) => {
    const peer = await Peer.start(t);
    peer.refuse();
    const { owner } = open({ port: peer.port });
    await owner.gone;
    const [error] = owner.errors;
    assert.deepEqual(owner.events, ['down', 'gone']);
    assert.equal(error?.code, 'GEARMAN_COULD_NOT_CONNECT');
    assert.match(error.message, /^Could not connect to peer: connect ECONNREFUSED/);
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  });

  it('lists what happened to each address of a name', async () => {
    const { duplex, clock } = puppet(new PuppetSocket());
    const { owner } = open({}, clock);
    duplex.destroy(
      new AggregateError([new Error('connect ECONNREFUSED ::1'), new Error('connect ETIMEDOUT 10.0.0.1')]),
    );
    await owner.gone;
    assert.equal(
      owner.errors[0]?.message,
      'Could not connect to peer: connect ECONNREFUSED ::1; connect ETIMEDOUT 10.0.0.1.',
    );
  });

  it('is given up after connectTimeout', async () => {
    const { duplex, clock } = puppet(new PuppetSocket());
    const { owner } = open({}, clock);
    clock.advance(2999);
    assert.deepEqual(owner.events, []);
    clock.advance(1);
    assert.deepEqual(owner.events, ['down']);
    assert.equal(owner.errors[0]?.message, 'peer did not accept a connection within 3000 ms.');
    assert.equal(duplex.destroyed, true);
    await owner.gone;
  });

  it('asks whether the port speaks TLS when the handshake does not end', () => {
    const { clock } = puppet(new PuppetSocket());
    const { owner } = open({ tls: {} }, clock);
    clock.advance(3000);
    assert.equal(
      owner.errors[0]?.message,
      'peer did not complete a TLS handshake within 3000 ms (does this port speak TLS?).',
    );
  });

  it('leaves time for a second address', () => {
    const { clock, seen } = puppet(new PuppetSocket());
    open({}, clock);
    assert.equal(seen.target?.addressTimeoutMs, 1000);
  });

  it('is over when it comes up too late', () => {
    const { clock, seen } = puppet(new PuppetSocket());
    const { owner } = open({}, clock);
    clock.advance(3000);
    seen.up();
    assert.deepEqual(owner.events, ['down']);
  });

  it('is not given up because the event loop stood still', () => {
    const { clock, seen } = puppet(new PuppetSocket());
    const { owner } = open({}, clock);
    clock.stall(60_000);
    seen.up();
    assert.deepEqual(owner.events, ['up']);
  });
});

describe('the real runtime', () => {
  it('gives each chunk memory of its own, and never writes over it', async (t) => {
    const peer = await Peer.start(t);
    const condition = new Condition();
    const chunks: Buffer[] = [];
    let length = 0;
    const target = { host: '127.0.0.1', port: peer.port, tls: undefined, addressTimeoutMs: 1000 };
    const socket = nodeRuntime.connect(target, () => undefined);
    t.after(() => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      condition.changed();
    });
    const connection = await peer.connection(0);
    const sent: Buffer[] = [];
    let sentLength = 0;
    for (const size of [1, 100, 32_767, 65_536, 65_535, 1, 300_000, 5]) {
      const bytes = Buffer.alloc(size, `${sent.length} `);
      sent.push(bytes);
      sentLength += size;
      connection.send(bytes);
      await condition.until(() => length === sentLength);
    }
    assert.ok(Buffer.concat(chunks).equals(Buffer.concat(sent)));
    for (const chunk of chunks) assert.equal(chunk.buffer.byteLength, chunk.length);
  });

  it('has timers that can be held, and cancelled', async () => {
    const rung: string[] = [];
    const cancelled = nodeRuntime.setTimer(() => rung.push('cancelled'), 1);
    cancelled.cancel();
    await new Promise<void>((resolve) => {
      const timer = nodeRuntime.setTimer(() => {
        rung.push('rung');
        resolve();
      }, 2);
      timer.hold(false);
      timer.hold(true);
    });
    assert.deepEqual(rung, ['rung']);
  });
});
