/** The documents say what the code does. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ERROR_CODES, GearmanClient } from '../src/index.js';
import { hashJob, hashName, rendezvousScore } from '../src/transport/routing.js';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');

/** The cells of all table rows of a document that have so many columns, backquotes and padding removed. */
function rowsOf(file: string, columns: number): string[][] {
  const rows = read(file)
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.slice(1, -1).split('|'));
  return rows.filter((row) => row.length === columns).map((row) => row.map((cell) => cell.trim().replaceAll('`', '')));
}

describe('README.md', () => {
  it('lists every error code with its meaning', () => {
    const codes = rowsOf('README.md', 2).filter(([code]) => code?.startsWith('GEARMAN_'));
    const meanings = Object.entries(ERROR_CODES).map(([code, meaning]) => [code, meaning.replaceAll('`', '')]);
    assert.deepEqual(codes, meanings);
  });

  it('names every public method of GearmanClient', () => {
    const text = read('README.md');
    const methods = Object.getOwnPropertyNames(GearmanClient.prototype).filter((name) => name !== 'constructor');
    assert.deepEqual(
      methods.filter((name) => !text.includes(`\`${name}`)),
      [],
    );
  });
});

describe('docs/routing.md', () => {
  it('has vectors that hold', () => {
    const vectors = rowsOf('docs/routing.md', 6).filter((row) => row[3]?.startsWith('0x'));
    assert.equal(vectors.length, 9);
    for (const [name = '', unique = '', server = '', ...numbers] of vectors) {
      const jobHash = hashJob(name, unique);
      const nameHash = hashName(server);
      assert.deepEqual(numbers.map(Number), [jobHash, nameHash, rendezvousScore(jobHash, nameHash)]);
    }
  });
});
