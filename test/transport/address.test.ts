/** Servers as users write them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkTls, normalizeName, parseServer, parseServers } from '../../src/transport/address.js';

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
    ['a:1', 'a', 1, 'a:1'],
    ['a:65535', 'a', 65_535, 'a:65535'],
    ['127.0.0.1:4731', '127.0.0.1', 4731, '127.0.0.1:4731'],
    ['job_server-1.example.com', 'job_server-1.example.com', 4730, 'job_server-1.example.com:4730'],
    ['[2001:DB8::A]:4731', '2001:db8::a', 4731, '[2001:db8::a]:4731'],
    ['2001:db8:0:0:0:0:0:a', '2001:db8::a', 4730, '[2001:db8::a]:4730'],
    ['fe80:0::1%Eth0', 'fe80::1%Eth0', 4730, '[fe80::1%Eth0]:4730'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1', 4730, '[::ffff:10.0.0.1]:4730'],
    ['fe80::1%eth0', 'fe80::1%eth0', 4730, '[fe80::1%eth0]:4730'],
    ['größe.example', 'größe.example', 4730, 'größe.example:4730'],
    [{ host: ' A ', port: ' 4731 ' }, 'a', 4731, 'a:4731'],
    [{ host: 'a', port: undefined, name: undefined }, 'a', 4730, 'a:4730'],
    [{ host: '::1', name: 'Beta-1' }, '::1', 4730, 'Beta-1'],
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
    ['http://a', /'http:\/\/a' is no job server\. Write host, host:port or \[IPv6\]:port, without a scheme/],
    ['gearman://a:4730', /without a scheme/],
    ['//a', /without a scheme/],
    ['a/b', /no host name/],
    ['user@a', /no host name/],
    ['a?b', /no host name/],
    ['a\0', /no host name/],
    ['[]:4730', /empty/],
    ['[10.0.0.1]', /no host name/],
    ['[::1]x', /'\[::1\]x' is no/],
    ['::1:99999', /\[IPv6\]:port/],
    ['a:-1', /whole number from 1 to 65535/],
    ['a:+1', /whole number/],
    ['a:1e3', /whole number/],
    ['a:0x10', /whole number/],
    ['a: ', /whole number/],
    [{ host: 'a', port: '' }, /whole number/],
    [{ host: 'a', port: NaN }, /whole number/],
    [{ host: 'a', port: true }, /whole number/],
    [{ host: 'a:4730' }, /no host name or IP address.*host:port/],
    [{ host: '' }, /empty/],
    [{ host: 'a', name: 'x y' }, /without blanks, commas and slashes/],
    [{ host: 'a', name: 'x,y' }, /name of a job server/],
    [{ host: 'a', name: 7 }, /name of a job server/],
    [{ host: 'a', hostname: 'a' }, /no option 'hostname', only host, port, name, tls/],
    [['a'], /not an array/],
    [undefined, /not undefined/],
    ['a b', /no host name/],
    ['[a]', /no host name/],
    ['[::1', /'\[::1' is no/],
    [{ host: 'a', port: 1.5 }, /port/],
    [{ host: 'a', port: null, hosts: 1 }, /no option 'hosts'/],
    [{ host: 7 }, /must be a string, not number/],
    [{}, /must be a string, not undefined/],
    [{ host: 'a', name: '' }, /name of a job server/],
    [{ host: 'a', name: 'x//y' }, /name of a job server/],
    ...['gamma/', '/x', 'x/y', '/'].map((name): [unknown, RegExp] => [{ host: 'a', name }, /commas and slashes/]),
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
    assert.deepEqual(names({ host: 'a' }), ['a:4730']);
    assert.deepEqual(names('[::1]:1,::1,10.0.0.1:2'), ['[::1]:1', '[::1]:4730', '10.0.0.1:2']);
  });

  it('keeps its order', () => {
    assert.deepEqual(
      parseServers('c,a,b,a').map(({ host }) => host),
      ['c', 'a', 'b'],
    );
  });

  it('gives the TLS options of all to those that have none of their own', () => {
    const all = { ca: 'all' };
    const servers = ['a', { host: 'b', tls: false }, { host: 'c', tls: { ca: 'own' } }, { host: 'd', tls: true }];
    assert.deepEqual(
      parseServers(servers, all).map(({ tls }) => tls),
      [all, undefined, { ca: 'own' }, {}],
    );
  });

  it('is not changed', () => {
    const servers = Object.freeze([Object.freeze({ host: ' A ', port: '1', tls: Object.freeze({}) })]);
    assert.equal(parseServers(servers)[0]?.name, 'a:1');
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
    assert.throws(() => parseServers(['a', { host: 'b', name: 'a:4730' }]), invalid(/the name a:4730/));
    assert.throws(
      () =>
        parseServers([
          { host: 'a', name: 'x' },
          { host: 'a', port: 1, name: 'x' },
        ]),
      invalid(/name x/),
    );
    assert.equal(
      parseServers([
        { host: 'a', name: 'x' },
        { host: 'A', port: '4730', name: 'x' },
      ]).length,
      1,
    );
  });

  it('is not empty, nor are its entries', () => {
    assert.throws(() => parseServers([]), invalid(/empty/));
    for (const list of ['a,,b', '', ' ', ',', 'a,', [''], ['a', '']]) {
      assert.throws(() => parseServers(list), invalid(/empty/), JSON.stringify(list));
    }
    assert.throws(() => parseServers(['a', null]), invalid(/not null/));
    assert.throws(() => parseServers(['a', ['b']]), invalid(/not an array/));
  });
});

describe('a name', () => {
  it('is found in any way in which the server may be written', () => {
    for (const name of ['A', ' a ', 'a:4730', 'A:4730']) assert.equal(normalizeName(name), 'a:4730');
    for (const name of ['::1', '[::1]', '[::1]:4730']) assert.equal(normalizeName(name), '[::1]:4730');
  });

  it('stays as it is when it cannot be a server', () => {
    for (const name of ['not a host', '', 'a:b', 'x//y']) assert.equal(normalizeName(name), name);
  });
});

describe('TLS', () => {
  it('is off, on with the defaults, or on with options', () => {
    const options = { ca: 'x' };
    assert.deepEqual([undefined, false, true, options].map(checkTls), [undefined, undefined, {}, options]);
    assert.equal(checkTls(options), options);
  });

  it('is nothing else', () => {
    for (const [tls, kind] of [
      ['yes', 'string'],
      [1, 'number'],
      [null, 'null'],
      [[], 'an array'],
    ] as const) {
      assert.throws(
        () => checkTls(tls),
        invalid(new RegExp(`true or an object of options for tls.connect, not ${kind}`)),
      );
    }
  });
});
