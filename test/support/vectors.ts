/** Exact packets of every type, taken from PROTOCOL, peers' tests and captures of gearmand. */
import { readFileSync } from 'node:fs';
import type { Magic } from '../../src/protocol/packet.js';

interface RawVector {
  readonly name: string;
  readonly direction: 'req' | 'res';
  readonly type: number;
  readonly type_name: string;
  readonly hex: string;
  readonly args_hex: readonly string[];
  readonly data_hex: string;
  readonly decode_only?: boolean;
}

/** One packet and what it holds. */
export interface Vector {
  readonly name: string;
  readonly magic: Magic;
  readonly type: number;
  readonly typeName: string;
  readonly bytes: Buffer;
  readonly args: readonly Buffer[];
  readonly data: Buffer;
  /** Legal to receive, never to be sent. */
  readonly isDecodeOnly: boolean;
  /** What PROTOCOL says of reduce jobs and gearmand does not answer: framed, but not split into arguments. */
  readonly isFramedOnly: boolean;
}

const FRAMED_ONLY = ['submit-reduce-job-protocol-text', 'submit-reduce-job-background-protocol-text'];

const raw = JSON.parse(readFileSync(new URL('../fixtures/packets.json', import.meta.url), 'utf8')) as RawVector[];

/** All of them. */
export const VECTORS: readonly Vector[] = raw.map((vector) => ({
  name: vector.name,
  magic: vector.direction === 'req' ? 'REQ' : 'RES',
  type: vector.type,
  typeName: vector.type_name,
  bytes: Buffer.from(vector.hex, 'hex'),
  args: vector.args_hex.map((hex) => Buffer.from(hex, 'hex')),
  data: Buffer.from(vector.data_hex, 'hex'),
  isDecodeOnly: vector.decode_only === true,
  isFramedOnly: FRAMED_ONLY.includes(vector.name),
}));
