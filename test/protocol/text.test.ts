import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LineReader, encodeLine, encodeList } from '../../src/protocol/text.js';
import { breaks } from '../support/packets.js';

/** The words of all lines in these chunks. */
function readAll(chunks: readonly Buffer[]): (readonly string[])[] {
  const reader = new LineReader();
  const lines: (readonly string[])[] = [];
  for (const chunk of chunks) {
    for (let offset = 0; offset < chunk.length;) {
      assert.ok(reader.takes(chunk[offset]), 'no line begins with a NUL');
      offset = reader.step(chunk, offset, (words) => lines.push(words));
    }
  }
  return lines;
}

describe('LineReader', () => {
  it('splits lines into words as gearmand does', () => {
    const text = 'status\r\ncancel  job   H:x:1\n\n a \r\nü\n';
    const expected = [['status'], ['cancel', 'job', 'H:x:1'], [''], ['', 'a', ''], ['Ã¼']];
    assert.deepEqual(readAll([Buffer.from(text)]), expected);
  });

  it('takes lines in any cuts', () => {
    const text = Buffer.from('status\r\nshow unique jobs\nmaxqueue f 1 2 3\r\n');
    const whole = readAll([text]);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        const chunks = at.slice(1).map((end, index) => text.subarray(at[index], end));
        assert.deepEqual(readAll(chunks), whole);
      }),
    );
  });

  it('leaves what begins with a NUL to the packets, but not within a line', () => {
    const reader = new LineReader();
    assert.equal(reader.takes(0), false);
    assert.equal(reader.takes(97), true);
    reader.step(Buffer.from('a'), 0, () => assert.fail('there is no end of a line'));
    assert.equal(reader.takes(0), true);
  });

  it('refuses lines that gearmand closes the connection for', () => {
    breaks(() => readAll([Buffer.from('1 2 3 4 5 6\n')]), 'GEARMAN_DATA_TOO_LARGE', /5 words/);
    const long = Buffer.alloc(5000, 'a');
    breaks(() => readAll([long, long]), 'GEARMAN_DATA_TOO_LARGE', /8192 bytes/);
  });
});

describe('answers', () => {
  it('are a line, or a list with its end', () => {
    assert.equal(encodeLine('OK').toString(), 'OK\r\n');
    assert.equal(encodeLine('OK 1', '\n').toString(), 'OK 1\n');
    assert.equal(encodeList([]).toString(), '.\n');
    assert.equal(encodeList(['ÿ', '']).toString('latin1'), 'ÿ\n\n.\n');
  });
});
