/**
 * The text protocol: lines of words, and answers that are a line or a list. It shares the port, and a connection if need be, with the
 * packets: a packet begins with a NUL, a line does not.
 */
import { gearmanError } from '../errors.js';
import { ARGUMENT_BYTES } from './packet.js';

const NUL = 0;
const LF = 10;

/** gearmand closes the connection on a line of more. */
const MAX_WORDS = 5;

/** Takes the bytes of a connection while they are a line, in any cuts. */
export class LineReader {
  /** What has come of a line that a chunk cut, one character a byte. */
  #begun = '';

  /** Whether that byte belongs to a line, being the first of what comes between two packets. */
  takes(byte: number | undefined): boolean {
    return this.#begun !== '' || byte !== NUL;
  }

  /**
   * Reads from an offset on; returns how far the line went, and hands its words to `sink` when it has ended.
   * @throws GearmanProtocolError `GEARMAN_DATA_TOO_LARGE`: too long, or too many words
   */
  step(chunk: Buffer, offset: number, sink: (words: readonly string[]) => void): number {
    const found = chunk.indexOf(LF, offset);
    const end = found === -1 ? chunk.length : found;
    if (this.#begun.length + end - offset > ARGUMENT_BYTES) throw tooLarge(`over ${String(ARGUMENT_BYTES)} bytes`);
    this.#begun += chunk.toString('latin1', offset, end);
    if (found === -1) return end;
    const line = this.#begun;
    this.#begun = '';
    const words = line.replace(/\r$/, '').split(/ +/);
    if (words.length > MAX_WORDS) throw tooLarge(`over ${String(MAX_WORDS)} words`);
    sink(words);
    return end + 1;
  }
}

function tooLarge(what: string): Error {
  return gearmanError('GEARMAN_DATA_TOO_LARGE', `A line of the text protocol has ${what}.`);
}

/** An answer of any number of lines, whose end is a line with a dot. */
export function encodeList(lines: readonly string[]): Buffer {
  return Buffer.from([...lines, '.'].map((line) => `${line}\n`).join(''), 'latin1');
}

/** An answer of one line; all but a few end as the request did. */
export function encodeLine(line: string, end: '\r\n' | '\n' = '\r\n'): Buffer {
  return Buffer.from(line + end, 'latin1');
}
