// The limit of what is possible on Node: one socket, packets that were encoded beforehand, and nothing read of an answer but its length.
import { once } from 'node:events';
import * as net from 'node:net';
import { HEADER_BYTES, TYPE, packet } from '../packets.js';

/** @import { Setting } from './setting.js' */

/** From this size on the workload is not in the encoded packets: it is written behind each by reference. */
const BY_REFERENCE = 16_384;

/** Finds packets in chunks that may cut them anywhere. */
class Reader {
  /**
   * The beginning of a packet whose end has not come.
   * @type {Buffer}
   */
  #rest = Buffer.alloc(0);

  /**
   * How many packets end in the chunk.
   * @param {Buffer} chunk
   * @param {(bytes: Buffer, start: number) => void} [look] - looks at the body of each
   */
  count(chunk, look) {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let count = 0;
    let offset = 0;
    while (offset + HEADER_BYTES <= bytes.length) {
      const end = offset + HEADER_BYTES + bytes.readUInt32BE(offset + 8);
      if (end > bytes.length) break;
      look?.(bytes, offset + HEADER_BYTES);
      offset = end;
      count++;
    }
    this.#rest = bytes.subarray(offset);
    return count;
  }
}

/** Packets of one length, to be sent round and round. */
class Ring {
  #bytes;
  #each;
  #offset = 0;

  /** @param {Buffer[]} packets */
  constructor(packets) {
    this.#bytes = Buffer.concat(packets);
    this.#each = this.#bytes.length / packets.length;
  }

  /**
   * Writes the next packets, as many as lie together; returns how many.
   * @param {net.Socket} socket
   * @param {number} atMost
   */
  write(socket, atMost) {
    const start = this.#offset;
    const end = Math.min(this.#bytes.length, start + atMost * this.#each);
    this.#offset = end % this.#bytes.length;
    socket.write(this.#bytes.subarray(start, end));
    return (end - start) / this.#each;
  }
}

/** Packets that share one large workload. */
class LargeRing {
  #heads;
  #workload;
  #next = 0;

  /**
   * @param {Buffer[]} heads
   * @param {Buffer} workload
   */
  constructor(heads, workload) {
    this.#heads = heads;
    this.#workload = workload;
  }

  /** @param {net.Socket} socket */
  write(socket) {
    socket.write(this.#heads[this.#next++ % this.#heads.length] ?? '');
    socket.write(this.#workload);
    return 1;
  }
}

/** @param {Setting} setting */
function submissions({ ids, workload }) {
  const packets = ids.map((id) =>
    packet('REQ', TYPE.SUBMIT_JOB_BG, 'bench', id, workload.length < BY_REFERENCE ? workload : ''),
  );
  if (workload.length < BY_REFERENCE) return new Ring(packets);
  for (const head of packets) head.writeUInt32BE(head.readUInt32BE(8) + workload.length, 8);
  return new LargeRing(packets, workload);
}

/** @param {Setting} setting */
async function open({ ports: [port = 0] }) {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/**
 * @param {net.Socket} socket
 * @param {Ring | LargeRing} ring
 * @param {number} outstanding
 */
function start(socket, ring, outstanding) {
  const reader = new Reader();
  /** @param {number} calls */
  const run = (calls) =>
    new Promise((/** @type {(value: void) => void} */ resolve) => {
      let unsent = calls;
      let unanswered = calls;
      /** @param {number} count */
      const send = (count) => {
        let left = Math.min(count, unsent);
        unsent -= left;
        socket.cork();
        while (left > 0) left -= ring.write(socket, left);
        socket.uncork();
      };
      socket.removeAllListeners('data').on('data', (chunk) => {
        const count = reader.count(chunk);
        unanswered -= count;
        send(count);
        if (unanswered === 0) resolve();
      });
      send(outstanding);
    });
  return { run, close: () => socket.destroy() };
}

/** @param {Setting} setting */
export async function connect(setting) {
  return start(await open(setting), submissions(setting), setting.outstanding);
}

/**
 * Asks for the status of one job.
 * @param {Setting} setting
 */
export async function connectForStatus(setting) {
  const socket = await open(setting);
  socket.write(packet('REQ', TYPE.SUBMIT_JOB_BG, 'bench', 'status', setting.workload));
  const [answer] = /** @type {[Buffer]} */ (await once(socket, 'data'));
  const question = packet('REQ', TYPE.GET_STATUS, answer.subarray(HEADER_BYTES));
  return start(socket, new Ring(Array.from({ length: 4096 }, () => question)), setting.outstanding);
}

/**
 * Says that a job is complete and asks for the next, whatever the job is. A gearmand would not bear it.
 * @param {Setting} setting
 */
export async function connectWorker(setting) {
  const complete = packet('REQ', TYPE.WORK_COMPLETE, 'H:null:1000000', setting.workload);
  const next = Buffer.concat([complete, packet('REQ', TYPE.GRAB_JOB_UNIQ)]);
  return start(await open(setting), new Ring(Array.from({ length: 4096 }, () => next)), setting.outstanding);
}

/**
 * A worker for real job servers: it completes what it was assigned. A run is over when the last of its jobs is complete for the job
 * server, too, and asks for no more.
 * @param {Setting} setting
 */
export async function connectForGrabs(setting) {
  const socket = await open(setting);
  const { outstanding } = setting;
  const reader = new Reader();
  const grab = packet('REQ', TYPE.GRAB_JOB);
  socket.write(packet('REQ', TYPE.CAN_DO, 'bench'));
  /** @param {number} jobs */
  const run = (jobs) =>
    new Promise((/** @type {(value: void) => void} */ resolve) => {
      let ungrabbed = jobs;
      let unanswered = jobs + 1;
      /** @param {number} count */
      const ask = (count) => {
        const grabs = Math.min(count, ungrabbed);
        ungrabbed -= grabs;
        return Array.from({ length: grabs }, () => grab);
      };
      socket.removeAllListeners('data').on('data', (chunk) => {
        /** @type {Buffer[]} */
        const completed = [];
        const count = reader.count(chunk, (bytes, start) => {
          const type = bytes.readUInt32BE(start - HEADER_BYTES + 4);
          if (type === TYPE.ECHO_RES) return;
          if (type !== TYPE.JOB_ASSIGN) throw new Error('too few jobs are queued');
          completed.push(packet('REQ', TYPE.WORK_COMPLETE, bytes.subarray(start, bytes.indexOf(0, start) + 1)));
        });
        unanswered -= count;
        if (unanswered === 0) {
          resolve();
          return;
        }
        socket.write(Buffer.concat([...completed, ...ask(count)]));
        if (unanswered === 1) socket.write(packet('REQ', TYPE.ECHO_REQ, 'done'));
      });
      socket.write(Buffer.concat(ask(outstanding)));
    });
  return { run, close: () => socket.destroy() };
}
