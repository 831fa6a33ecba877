/** Which job servers a client has: those that were named, or the default while none ever was. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readClientOptions } from '../../src/client/options.js';
import { NamedServers } from '../../src/client/servers.js';
import { nodeRuntime } from '../../src/runtime.js';
import { Deadlines } from '../../src/transport/deadlines.js';
import { Pool } from '../../src/transport/pool.js';

function setUp(tls?: boolean) {
  const settings = readClientOptions({ tls });
  const connect = (): never => assert.fail('nothing was sent, so nothing connects');
  const runtime = { ...nodeRuntime, connect };
  const pool = new Pool(
    { settings, deadlines: new Deadlines(runtime), runtime, isIssued: () => false },
    settings.router,
  );
  return { pool, servers: new NamedServers(pool, settings) };
}

const invalid = (message: RegExp): object => ({ code: 'GEARMAN_INVALID_ARGUMENT', message });

const ENVIRONMENT = 'GEARMAN_SERVERS';
const before = process.env[ENVIRONMENT];

function setEnvironment(value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, ENVIRONMENT);
  else process.env[ENVIRONMENT] = value;
}

beforeEach(() => setEnvironment(undefined));
afterEach(() => setEnvironment(before));

describe('the default', () => {
  it('is 127.0.0.1:4730, at the first call', () => {
    const { pool, servers } = setUp();
    assert.deepEqual(pool.names, []);
    servers.fillIn();
    assert.deepEqual(pool.names, ['127.0.0.1:4730']);
  });

  it('is what GEARMAN_SERVERS says at the first call', () => {
    const { pool, servers } = setUp();
    setEnvironment(' a:4731, [::1] ');
    servers.fillIn();
    assert.deepEqual(pool.names, ['a:4731', '[::1]:4730']);
  });

  it('is not looked for again', () => {
    const { pool, servers } = setUp();
    servers.fillIn();
    setEnvironment('a');
    servers.fillIn();
    assert.deepEqual(pool.names, ['127.0.0.1:4730']);
  });

  it('is 127.0.0.1:4730 when GEARMAN_SERVERS is blank', () => {
    for (const blank of ['', ' ', '\t']) {
      const { pool, servers } = setUp();
      setEnvironment(blank);
      servers.fillIn();
      assert.deepEqual(pool.names, ['127.0.0.1:4730']);
    }
  });

  it('has the TLS options of the client', () => {
    const { pool, servers } = setUp(true);
    setEnvironment('a');
    servers.fillIn();
    assert.deepEqual(pool.find('a:4730')?.address.tls, {});
  });

  it('is refused at each call while GEARMAN_SERVERS is wrong, in words that say where that came from', () => {
    const { pool, servers } = setUp();
    setEnvironment('http://a');
    for (let count = 0; count < 2; count++) assert.throws(() => servers.fillIn(), invalid(/GEARMAN_SERVERS/));
    assert.deepEqual(pool.names, []);
    setEnvironment('a');
    servers.fillIn();
    assert.deepEqual(pool.names, ['a:4730']);
  });

  it('is not used by who names a server', () => {
    const { pool, servers } = setUp();
    setEnvironment('a');
    servers.add('b');
    servers.fillIn();
    assert.deepEqual(pool.names, ['b:4730']);
  });
});

describe('a server that is named', () => {
  it('comes behind those that were', () => {
    const { pool, servers } = setUp();
    servers.add('c,a');
    servers.add({ host: 'b', name: 'beta' });
    servers.add(['A:4730', 'd']);
    assert.deepEqual(pool.names, ['c:4730', 'a:4730', 'beta', 'd:4730']);
  });

  it('takes the place of the default', () => {
    const { pool, servers } = setUp();
    setEnvironment('a,b');
    servers.fillIn();
    servers.add('c');
    assert.deepEqual(pool.names, ['c:4730']);
    servers.add('d');
    assert.deepEqual(pool.names, ['c:4730', 'd:4730']);
  });

  it('keeps its connection if it is of the default', () => {
    const { pool, servers } = setUp();
    setEnvironment('a,b');
    servers.fillIn();
    const endpoint = pool.find('a:4730');
    servers.add('c,a');
    assert.deepEqual(pool.names.toSorted(), ['a:4730', 'c:4730']);
    assert.equal(pool.find('a:4730'), endpoint);
  });

  it('is refused with all of its list when one is wrong or has the name of another place', () => {
    const { pool, servers } = setUp();
    servers.add({ host: 'a', name: 'alpha' });
    assert.throws(() => servers.add('b,c:0'), invalid(/1 to 65535/));
    assert.throws(
      () => servers.add(['b', { host: 'z', name: 'alpha' }]),
      invalid(/Two job servers have the name alpha/),
    );
    assert.throws(() => servers.add([]), invalid(/empty/));
    assert.deepEqual(pool.names, ['alpha']);
  });

  it('is refused without the default being lost', () => {
    const { pool, servers } = setUp();
    servers.fillIn();
    assert.throws(() => servers.add('c:0'), invalid(/65535/));
    assert.deepEqual(pool.names, ['127.0.0.1:4730']);
  });
});

describe('a server that is removed', () => {
  it('may be written as it was named, or by its name', () => {
    const { pool, servers } = setUp();
    servers.add(['a', '[::1]', { host: 'b', name: 'beta' }, { host: 'c', port: 1 }, { host: 'd', name: 'delta' }]);
    servers.remove(' A:4730 ');
    servers.remove('::1');
    servers.remove('beta');
    servers.remove({ host: 'c', port: '1' });
    servers.remove({ host: 'd', name: 'delta' });
    assert.deepEqual(pool.names, []);
  });

  it('is ignored when it is not there', () => {
    const { pool, servers } = setUp();
    servers.add('a');
    servers.remove('b');
    servers.remove({ host: 'a', port: 1 });
    assert.deepEqual(pool.names, ['a:4730']);
  });

  it('is refused when it is none', () => {
    const { servers } = setUp();
    assert.throws(() => servers.remove('a:0'), invalid(/65535/));
    assert.throws(() => servers.remove(null as never), invalid(/not null/));
    assert.throws(() => servers.remove(7 as never), invalid(/not number/));
  });

  it('does not bring the default back when it was the last one', () => {
    const { pool, servers } = setUp();
    servers.add('a');
    servers.remove('a');
    servers.fillIn();
    assert.deepEqual(pool.names, []);
  });

  it('does not bring the default back when it was that', () => {
    const { pool, servers } = setUp();
    servers.fillIn();
    servers.remove('127.0.0.1');
    servers.fillIn();
    assert.deepEqual(pool.names, []);
  });

  it('before any call changes nothing: the default still comes', () => {
    const { pool, servers } = setUp();
    servers.remove('b');
    servers.fillIn();
    assert.deepEqual(pool.names, ['127.0.0.1:4730']);
  });

  it('before any call leaves an empty pool when it is the default: that does not come any more', () => {
    for (const server of ['127.0.0.1', '127.0.0.1:4730', { host: '127.0.0.1' }]) {
      const { pool, servers } = setUp();
      servers.remove(server);
      assert.deepEqual(pool.names, []);
      servers.fillIn();
      assert.deepEqual(pool.names, []);
      assert.throws(() => pool.requireNames(), { code: 'GEARMAN_NO_SERVERS' });
      servers.add('a');
      assert.deepEqual(pool.names, ['a:4730']);
    }
  });

  it('before any call leaves the others of GEARMAN_SERVERS', () => {
    const { pool, servers } = setUp();
    setEnvironment('a,b,c');
    servers.remove('b');
    servers.fillIn();
    assert.deepEqual(pool.names, ['a:4730', 'c:4730']);
  });
});
