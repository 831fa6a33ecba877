// A job server that only answers. It keeps no jobs, so that what is measured is the client alone. `node null-server.js COUNT` listens on
// so many free ports of 127.0.0.1, prints them on one line, and ends when its standard input does.
//
// It must be faster than every client: it looks at nothing but headers, and answers all submissions of a chunk with one slice of a
// ring of JOB_CREATED packets that were encoded beforehand. Each has another job handle, and all have the same length.
import { once } from 'node:events';
import * as net from 'node:net';
import { HEADER_BYTES, TYPE, packet } from './packets.js';

/** Twice as many handles as our client remembers. */
const RING = 262_144;
const FIRST_HANDLE = 1_000_000;

/** @param {number} job */
const handleOf = (job) => `H:null:${FIRST_HANDLE + (job % RING)}`;

const HANDLE_BYTES = handleOf(0).length;
const CREATED_BYTES = HEADER_BYTES + HANDLE_BYTES;
const CREATED = Buffer.concat(Array.from({ length: RING }, (_, job) => packet('RES', TYPE.JOB_CREATED, handleOf(job))));

/** STATUS_RES in front of the handle and behind it: running, half done. */
const STATUS = packet('RES', TYPE.STATUS_RES, handleOf(0), '1', '1', '1', '2');
const STATUS_TAIL = STATUS.subarray(CREATED_BYTES);

const ANSWERS_BYTES = 1_048_576;

/** Collects answers; what was taken is never written again. */
class Answers {
  #bytes = Buffer.allocUnsafeSlow(ANSWERS_BYTES);
  #used = 0;

  /**
   * @param {Buffer} source
   * @param {number} start
   * @param {number} end
   */
  add(source, start = 0, end = source.length) {
    if (this.#used + end - start > this.#bytes.length) this.#grow(end - start);
    source.copy(this.#bytes, this.#used, start, end);
    this.#used += end - start;
  }

  take() {
    const taken = this.#bytes.subarray(0, this.#used);
    this.#bytes = this.#bytes.subarray(this.#used);
    this.#used = 0;
    return taken;
  }

  /** @param {number} needed */
  #grow(needed) {
    const used = this.#bytes.subarray(0, this.#used);
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(ANSWERS_BYTES, 2 * (used.length + needed)));
    used.copy(this.#bytes);
  }
}

/** One client's connection. */
class Session {
  #answers = new Answers();
  /** Jobs so far. */
  #jobs = 0;
  /** Jobs whose JOB_CREATED is due. */
  #due = 0;
  /** Bytes of a workload that are still to come; nobody looks at them. */
  #skip = 0;
  /**
   * The beginning of a packet that a chunk cut.
   * @type {Buffer}
   */
  #rest = Buffer.alloc(0);

  /**
   * The answers to what is complete with this chunk.
   * @param {Buffer} chunk
   */
  answer(chunk) {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = this.#walk(bytes);
    this.#rest = bytes.subarray(Math.min(end, bytes.length));
    this.#skip = Math.max(0, end - bytes.length);
    this.#addCreated();
    return this.#answers.take();
  }

  /**
   * Goes from header to header.
   * @param {Buffer} bytes
   * @returns {number} where the next header begins, perhaps behind the last byte
   */
  #walk(bytes) {
    let offset = this.#skip;
    while (offset + HEADER_BYTES <= bytes.length) {
      const type = bytes.readUInt32BE(offset + 4);
      const end = offset + HEADER_BYTES + bytes.readUInt32BE(offset + 8);
      // Of a submission nothing but the header is looked at; other requests are waited for.
      if (type === TYPE.SUBMIT_JOB_BG) this.#due++;
      else if (type === TYPE.SUBMIT_JOB) this.#complete();
      else if (end > bytes.length) break;
      else this.#answerOne(type, bytes, offset + HEADER_BYTES, end);
      offset = end;
    }
    return offset;
  }

  /** A foreground job is done at once. */
  #complete() {
    this.#due++;
    this.#addCreated();
    this.#answers.add(packet('RES', TYPE.WORK_COMPLETE, handleOf(this.#jobs - 1), ''));
  }

  /**
   * @param {number} type
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  #answerOne(type, bytes, start, end) {
    this.#addCreated();
    if (type === TYPE.GET_STATUS && end - start === HANDLE_BYTES) {
      this.#answers.add(STATUS, 0, HEADER_BYTES);
      this.#answers.add(bytes, start, end);
      this.#answers.add(STATUS_TAIL);
    } else if (type === TYPE.ECHO_REQ || type === TYPE.OPTION_REQ) {
      this.#answers.add(packet('RES', type + 1, bytes.subarray(start, end)));
    } else {
      throw new Error(`the null server does not know packet type ${type} of ${end - start} bytes`);
    }
  }

  #addCreated() {
    while (this.#due > 0) {
      const first = this.#jobs % RING;
      const count = Math.min(this.#due, RING - first);
      this.#answers.add(CREATED, first * CREATED_BYTES, (first + count) * CREATED_BYTES);
      this.#jobs += count;
      this.#due -= count;
    }
  }
}

async function listen() {
  const server = net.createServer({ noDelay: true }, (socket) => {
    const session = new Session();
    socket.on('data', (chunk) => {
      const answers = session.answer(chunk);
      if (answers.length > 0) socket.write(answers);
    });
    // Clients leave as they like.
    socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return /** @type {net.AddressInfo} */ (server.address()).port;
}

process.stdin.resume().on('end', () => process.exit());
const ports = await Promise.all(Array.from({ length: Number(process.argv[2] ?? 1) }, listen));
console.log(ports.join(' '));
