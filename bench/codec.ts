/** The codec alone, without sockets: prints as JSON how many nanoseconds a packet takes. */
import { Bench } from 'tinybench';
import { Batch } from '../src/protocol/batch.js';
import { Decoder } from '../src/protocol/decode.js';
import { TYPE } from '../src/protocol/packet.js';
import { packet } from './packets.js';

/** As many as fill what Node reads from a socket at once. */
const PACKETS = 2520;
/** What a network carries in one piece. */
const SEGMENT_BYTES = 1448;

const answers = Buffer.concat(
  Array.from({ length: PACKETS }, (_, job) => packet('RES', TYPE.JOB_CREATED, `H:host:${String(1_000_000 + job)}`)),
);
const id = '6d1fd0c0-7c5c-11f0-8de9-0242ac120002';
const workload = Buffer.alloc(32, 'w');
const largeWorkload = Buffer.alloc(16_384, 'w');

function cut(bytes: Buffer, size: number): Buffer[] {
  const pieces = [];
  for (let start = 0; start < bytes.length; start += size) pieces.push(bytes.subarray(start, start + size));
  return pieces;
}

/** Decodes the pieces and reads each job handle. */
function decode(pieces: readonly Buffer[]): void {
  const decoder = new Decoder('RES', 65_536);
  let length = 0;
  for (const piece of pieces) decoder.push(piece, (answer) => (length += answer.latin1(0).length));
  if (length !== PACKETS * 'H:host:1000000'.length) throw new Error('a job handle was lost');
}

const batch = new Batch('REQ');

function encode(data: Buffer): void {
  for (let count = 0; count < PACKETS; count++) batch.add(TYPE.SUBMIT_JOB_BG, ['bench', id, data]);
  batch.take();
}

const whole = [answers];
const segments = cut(answers, SEGMENT_BYTES);
const bytes = cut(answers, 1);

const bench = new Bench({ time: 1000, warmupTime: 500 })
  .add('decode JOB_CREATED, 64 KiB at once', () => decode(whole))
  .add('decode JOB_CREATED, 1448 bytes at a time', () => decode(segments))
  .add('decode JOB_CREATED, byte by byte', () => decode(bytes))
  .add('encode SUBMIT_JOB_BG, 32 bytes', () => encode(workload))
  .add('encode SUBMIT_JOB_BG, 16 KiB by reference', () => encode(largeWorkload));
await bench.run();

const results = bench.tasks.map(({ name, result }) => ({ name, nanoseconds: (result.latency.p50 * 1e6) / PACKETS }));
console.log(JSON.stringify(results));
