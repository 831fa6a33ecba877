/** Servers as users write them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { normalizeName, parseServer, parseServers } from '../../src/transport/address.js';

const invalid = (message: RegExp): object => ({ code: 'GEARMAN_INVALID_ARGUMENT', message });

describe('a server', () => {
  const forms: readonly [unknown, string, number, string][] = [
    ['a', 'a', 4730, 'a:4730'],
    [' A.Example:4731 ', 'a.example', 4731, 'a.example:4731'],
    ['10.0.0.1', '10.0.0.1', 4730, '10.0.0.1:4730'],
    ['[::1]:4731', '::1', 4731, '[::1]:4731'],
    ['[::1]', '::1', 4730, '[::1]:4730'],
    ['::1', '::1', 4730, '[::1]:4730'],
    [{ host: 'a' }, 'a', 4730, 'a:4730'],
    [{ host: '::1', port: 1 }, '::1', 1, '[::1]:1'],
    [{ host: '[::1]', port: '65535' }, '::1', 65_535, '[::1]:65535'],
    [{ host: 'a', port: 4731, name: 'alpha' }, 'a', 4731, 'alpha'],
  ];
  for (const [form, host, port, name] of forms) {
    it(`may be written ${JSON.stringify(form)}`, () => {
      assert.deepEqual(parseServer(form), { host, port, name, tls: undefined });
    });
  }

  it('has TLS options of its own, or the ones of all', () => {
    const [own, all] = [{ ca: 'x' }, { ca: 'y' }];
    assert.deepEqual(parseServer({ host: 'a', tls: own }, all).tls, own);
    assert.deepEqual(parseServer({ host: 'a', tls: true }, all).tls, {});
    assert.equal(parseServer({ host: 'a', tls: false }, all).tls, undefined);
    assert.equal(parseServer('a', all).tls, all);
  });

  const bad: readonly [unknown, RegExp][] = [
    ['', /host of a job server is empty/],
    [':4730', /empty/],
    ['a:', /port of a must be a whole number/],
    ['a:0', /1 to 65535/],
    ['a:65536', /1 to 65535/],
    ['a:4730x', /port/],
    ['a:b:c', /port/],
    ['http://a', /port|scheme/],
    ['a b', /no host name/],
    ['[a]', /no host name/],
    ['[::1', /no host name|port|empty/],
    [{ host: 'a', port: 1.5 }, /port/],
    [{ host: 'a', port: null, hosts: 1 }, /no property 'hosts'/],
    [{ host: 7 }, /must be a string, not number/],
    [{}, /must be a string, not undefined/],
    [{ host: 'a', name: '' }, /name of a job server/],
    [{ host: 'a', name: 'x//y' }, /name of a job server/],
    [{ host: 'a', tls: 'yes' }, /option tls/],
    [null, /not null/],
    [4730, /not number/],
  ];
  for (const [form, message] of bad) {
    it(`is refused as ${JSON.stringify(form)}`, () => {
      assert.throws(() => parseServer(form), invalid(message));
    });
  }
});

describe('a list of servers', () => {
  it('is separated by commas, an array, or both', () => {
    const names = (servers: unknown): string[] => parseServers(servers).map(({ name }) => name);
    assert.deepEqual(names('a, b:4731'), ['a:4730', 'b:4731']);
    assert.deepEqual(names(['a,b', { host: 'c' }]), ['a:4730', 'b:4730', 'c:4730']);
  });

  it('has each server once', () => {
    assert.equal(parseServers(['a', 'A:4730', { host: 'a', port: '4730' }, '[::1]', '::1']).length, 2);
  });

  it('gives a name to one place only', () => {
    const twice = [
      { host: 'a', name: 'x' },
      { host: 'b', name: 'x' },
    ];
    assert.throws(() => parseServers(twice), invalid(/Two job servers have the name x/));
  });

  it('is not empty, nor are its entries', () => {
    assert.throws(() => parseServers([]), invalid(/empty/));
    assert.throws(() => parseServers('a,,b'), invalid(/empty/));
  });
});

describe('a name', () => {
  it('is found in any way in which the server may be written', () => {
    assert.equal(normalizeName('A'), 'a:4730');
    assert.equal(normalizeName('not a host'), 'not a host');
  });
});
