// A job server that only answers. It keeps no jobs, so that what is measured is the client or the worker alone: to workers it hands out
// jobs for ever. `node null-server.js COUNT` listens on so many free ports of 127.0.0.1, prints them on one line, and ends when its
// standard input does.
//
// It must be faster than everybody else: it looks at nothing but headers, and answers all submissions or grabs of a chunk with one slice
// of a ring of packets that were encoded beforehand. Each has another job handle, and all have the same length.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import { Answers, Ring } from './answers.js';
import { HEADER_BYTES, TYPE, packet } from './packets.js';

/** Twice as many handles as our client remembers. */
const HANDLES = 262_144;
/** Workers forget a job when it is done. */
const ASSIGNED = 16_384;
const FIRST_HANDLE = 1_000_000;
/** A worker that takes so many jobs more than it completes does not do them. */
const MOST_RUNNING = 1024;

/** @param {number} job */
const handleOf = (job) => `H:null:${FIRST_HANDLE + (job % HANDLES)}`;

/**
 * @param {number} count
 * @param {(job: number) => Buffer} encode
 */
const ringOf = (count, encode) => new Ring(Array.from({ length: count }, (_, job) => encode(job)));

const HANDLE_BYTES = handleOf(0).length;
const WORKLOAD = Buffer.alloc(32, 'w');
const CREATED = ringOf(HANDLES, (job) => packet('RES', TYPE.JOB_CREATED, handleOf(job)));
const ASSIGN = ringOf(ASSIGNED, (job) => packet('RES', TYPE.JOB_ASSIGN, handleOf(job), 'bench', WORKLOAD));
const ASSIGN_UNIQ = ringOf(ASSIGNED, (job) =>
  packet('RES', TYPE.JOB_ASSIGN_UNIQ, handleOf(job), 'bench', randomUUID(), WORKLOAD),
);

/** STATUS_RES in front of the handle and behind it: running, half done. */
const STATUS = packet('RES', TYPE.STATUS_RES, handleOf(0), '1', '1', '1', '2');
const STATUS_TAIL = STATUS.subarray(HEADER_BYTES + HANDLE_BYTES);
/** There are always jobs. */
const NOOP = packet('RES', TYPE.NOOP);

/** One connection of a client or worker. */
class Session {
  #answers = new Answers();
  /** Jobs so far, created or assigned. */
  #jobs = 0;
  /** Jobs that are assigned and not complete. */
  #running = 0;
  /** Answers that are due, all from one ring. */
  #due = 0;
  #ring = CREATED;
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
    this.#addDue();
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
      // Of what comes in great numbers nothing but the header is looked at; other requests are waited for.
      if (!this.#count(type)) {
        if (end > bytes.length) break;
        this.#answerOne(type, bytes, offset + HEADER_BYTES, end);
      }
      offset = end;
    }
    return offset;
  }

  /**
   * Counts a submission, a grab or a completion; `false` if it is something else.
   * @param {number} type
   */
  #count(type) {
    if (type === TYPE.SUBMIT_JOB_BG) this.#owe(CREATED);
    else if (type === TYPE.WORK_COMPLETE) this.#running--;
    else if (type === TYPE.GRAB_JOB_UNIQ) this.#assign(ASSIGN_UNIQ);
    else if (type === TYPE.GRAB_JOB) this.#assign(ASSIGN);
    else if (type === TYPE.SUBMIT_JOB) this.#complete();
    else return false;
    return true;
  }

  /** @param {Ring} ring */
  #owe(ring) {
    if (ring !== this.#ring) this.#addDue();
    this.#ring = ring;
    this.#due++;
  }

  /** @param {Ring} ring */
  #assign(ring) {
    if (++this.#running > MOST_RUNNING) throw new Error('a worker takes jobs and does not complete them');
    this.#owe(ring);
  }

  /** A foreground job is done at once. */
  #complete() {
    this.#owe(CREATED);
    this.#addDue();
    this.#answers.add(packet('RES', TYPE.WORK_COMPLETE, handleOf(this.#jobs - 1), ''));
  }

  /**
   * @param {number} type
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  #answerOne(type, bytes, start, end) {
    this.#addDue();
    if (type === TYPE.CAN_DO || type === TYPE.SET_CLIENT_ID) return;
    if (type === TYPE.PRE_SLEEP) {
      this.#answers.add(NOOP);
    } else if (type === TYPE.GET_STATUS && end - start === HANDLE_BYTES) {
      this.#answers.add(STATUS, 0, HEADER_BYTES);
      this.#answers.add(bytes, start, end);
      this.#answers.add(STATUS_TAIL);
    } else if (type === TYPE.ECHO_REQ || type === TYPE.OPTION_REQ) {
      this.#answers.add(packet('RES', type + 1, bytes.subarray(start, end)));
    } else {
      throw new Error(`the null server does not know packet type ${type} of ${end - start} bytes`);
    }
  }

  #addDue() {
    while (this.#due > 0) {
      const count = this.#ring.addTo(this.#answers, this.#jobs, this.#due);
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
