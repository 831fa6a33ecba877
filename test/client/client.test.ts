/** What a client is made of: its servers, its options, and that it changes nothing of what it is given. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { GearmanClient, uniqueFor, type GearmanClientOptions, type Servers } from '../../src/index.js';
import { clientOf, proven, rejection, settleDown, untilState } from '../support/client.js';
import { Clock } from '../support/clock.js';
import { Peer, freeze, jobCreated, serve } from '../support/peer.js';

const names = (client: GearmanClient): string[] => client.servers.map(({ name }) => name);

/** No part of the value can be changed. */
function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}

describe('new GearmanClient', () => {
  const forms: [given: GearmanClientOptions | Servers, names: string[]][] = [
    ['a', ['a:4730']],
    ['a:4731,b', ['a:4731', 'b:4730']],
    [
      ['a', 'b:1'],
      ['a:4730', 'b:1'],
    ],
    [{ host: 'A' }, ['a:4730']],
    [{ host: 'a', port: '4731' }, ['a:4731']],
    [{ host: 'a', port: 1, name: 'first' }, ['first']],
    [{ servers: 'a,b' }, ['a:4730', 'b:4730']],
    [{ servers: [{ host: '::1' }, '[::1]:4731'] }, ['[::1]:4730', '[::1]:4731']],
    [{ servers: ['a', 'A:4730', { host: 'a' }] }, ['a:4730']],
    [{}, []],
  ];
  for (const [given, expected] of forms) {
    it(`takes ${JSON.stringify(given)}`, () => {
      assert.deepEqual(names(new GearmanClient(given)), expected);
    });
  }

  const bad: [name: string, given: unknown, message: RegExp][] = [
    ['no servers in a list', { servers: [] }, /empty/],
    ['an empty string', '', /host/],
    ['an empty part', 'a,,b', /host/],
    ['a scheme', 'gearman://a', /scheme|host/],
    ['port 0', 'a:0', /1 to 65535/],
    ['port 65536', 'a:65536', /1 to 65535/],
    ['a port that is no number', { host: 'a', port: 'x' }, /1 to 65535/],
    ['a host with a blank', 'a b', /no host name/],
    ['a host that is a number', { host: 1 }, /must be a string/],
    ['an unknown property of a server', { host: 'a', prt: 1 }, /no option 'prt'/],
    ['a name with a blank', { host: 'a', name: 'a b' }, /name of a job server/],
    ['a name with //', { host: 'a', name: 'a//b' }, /name of a job server/],
    [
      'two places of one name',
      {
        servers: [
          { host: 'a', name: 'x' },
          { host: 'b', name: 'x' },
        ],
      },
      /have the name x/,
    ],
    ['an unknown option', { severs: 'a' }, /no option 'severs'/],
    ['a timeout of 0', { timeout: 0 }, /timeout/],
    ['a negative connectTimeout', { connectTimeout: -1 }, /connectTimeout/],
    ['a heartbeat too large for a timer', { heartbeat: 2 ** 31 }, /heartbeat/],
    ['a backoff whose min is above max', { backoff: { min: 5, max: 4 } }, /min <= max/],
    ['a backoff without end', { backoff: { max: Infinity } }, /Infinity/],
    ['an unknown bound of backoff', { backoff: { mn: 5 } }, /no option 'mn'/],
    ['an unknown routing', { routing: 'random' }, /routing/],
    ['resubmit that is no boolean', { resubmit: 'yes' }, /resubmit/],
    ['maxInFlight of 0', { maxInFlight: 0 }, /maxInFlight/],
    ['maxInFlight that is no whole number', { maxInFlight: 1.5 }, /maxInFlight/],
    ['maxPacketSize beyond 32 bits', { maxPacketSize: 2 ** 32 }, /maxPacketSize/],
    ['tls that is a string', { tls: 'yes' }, /tls/],
    ['a prefix with NUL', { prefix: '\0' }, /prefix/],
    ['null', null, /./],
    ['a number', 4730, /./],
  ];
  for (const [name, given, message] of bad) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => new GearmanClient(given as GearmanClientOptions),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'GEARMAN_INVALID_ARGUMENT', String(error));
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});

describe('the default server', () => {
  const before = process.env['GEARMAN_SERVERS'];
  beforeEach(() => {
    delete process.env['GEARMAN_SERVERS'];
  });
  afterEach(() => {
    if (before === undefined) delete process.env['GEARMAN_SERVERS'];
    else process.env['GEARMAN_SERVERS'] = before;
  });

  /** Makes a call whose outcome does not matter. */
  const touch = (client: GearmanClient): void => {
    client.doBackground('f', 'w').catch(() => undefined);
  };

  it('is 127.0.0.1:4730, looked for at the first call', (t) => {
    const client = new GearmanClient();
    t.after(() => client.destroy());
    assert.deepEqual(names(client), []);
    touch(client);
    assert.deepEqual(names(client), ['127.0.0.1:4730']);
  });

  it('is what GEARMAN_SERVERS says at the first call', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = new GearmanClient();
    t.after(() => client.destroy());
    process.env['GEARMAN_SERVERS'] = ` ${peer.name} , other `;
    touch(client);
    assert.deepEqual(names(client), [peer.name, 'other:4730']);
    process.env['GEARMAN_SERVERS'] = 'late';
    touch(client);
    assert.deepEqual(names(client), [peer.name, 'other:4730']);
  });

  it('is 127.0.0.1:4730 when GEARMAN_SERVERS is blank', (t) => {
    process.env['GEARMAN_SERVERS'] = ' ';
    const client = new GearmanClient({});
    t.after(() => client.destroy());
    touch(client);
    assert.deepEqual(names(client), ['127.0.0.1:4730']);
  });

  it('rejects the call when GEARMAN_SERVERS cannot be read', async () => {
    process.env['GEARMAN_SERVERS'] = 'a:b:c';
    await rejection(new GearmanClient().doBackground('f', 'w'), 'GEARMAN_INVALID_ARGUMENT');
  });

  it('is not used when a server was named', async (t) => {
    const peer = await Peer.start(t, serve);
    process.env['GEARMAN_SERVERS'] = 'elsewhere';
    const client = new GearmanClient().addServer('127.0.0.1', peer.port);
    await client.doBackground('f', 'w');
    assert.deepEqual(names(client), [peer.name]);
    await client.close();
  });

  it('is replaced by the first server that is added, and what waited for it moves', async (t) => {
    const [lost, peer] = [await Peer.start(t), await Peer.start(t, serve)];
    lost.refuse();
    process.env['GEARMAN_SERVERS'] = lost.name;
    const client = new GearmanClient({}, new Clock());
    t.after(() => client.destroy());
    const call = client.doBackground('f', 'w');
    await untilState(client, lost, 'paused');
    client.addServer('127.0.0.1', peer.port);
    assert.deepEqual(names(client), [peer.name]);
    assert.equal(await call, 'H:peer:1');
    client.addServer('b');
    assert.deepEqual(names(client), [peer.name, 'b:4730']);
  });

  it('stays when it is what is added', (t) => {
    const client = new GearmanClient();
    t.after(() => client.destroy());
    touch(client);
    client.addServer();
    assert.deepEqual(names(client), ['127.0.0.1:4730']);
  });

  it('does not come back when it was removed', async () => {
    const client = new GearmanClient();
    touch(client);
    client.removeServer('127.0.0.1');
    await rejection(client.doBackground('f', 'w'), 'GEARMAN_NO_SERVERS');
    await client.close();
  });

  it('does not come at all when it was removed before the first call', async (t) => {
    const client = new GearmanClient();
    t.after(() => client.destroy());
    client.removeServer('127.0.0.1:4730');
    await rejection(client.doBackground('f', 'w'), 'GEARMAN_NO_SERVERS');
    await rejection(client.ping(), 'GEARMAN_NO_SERVERS');
    assert.deepEqual(client.servers, []);
  });

  it('is not used once all named servers were removed', async () => {
    const client = new GearmanClient('a').removeServer('a');
    const error = await rejection(client.doBackground('f', 'w'), 'GEARMAN_NO_SERVERS');
    assert.match(error.message, /addServer/);
    assert.deepEqual(names(client), []);
  });
});

describe('the servers of a client', () => {
  it('are added one by one, or as a list', () => {
    const client = new GearmanClient();
    client.addServer().addServer('a').addServer('b', 1).addServer('c', '2').addServer('d:3').addServers('e,f:4');
    client.addServers([{ host: 'g', name: 'gee' }]);
    assert.deepEqual(names(client), [
      ...['127.0.0.1:4730', 'a:4730', 'b:1', 'c:2', 'd:3'],
      ...['e:4730', 'f:4', 'gee'],
    ]);
  });

  it('are added all or none', () => {
    const client = new GearmanClient('a');
    assert.throws(() => client.addServers(['b', 'c:99999']), { code: 'GEARMAN_INVALID_ARGUMENT' });
    assert.throws(() => client.addServer('b', 0), { code: 'GEARMAN_INVALID_ARGUMENT' });
    assert.throws(() => client.addServers([{ host: 'b', name: 'a:4730' }]), { code: 'GEARMAN_INVALID_ARGUMENT' });
    assert.deepEqual(names(client), ['a:4730']);
  });

  it('stay as they are when they are added again', async (t) => {
    const { client, peer } = await proven(t);
    client.addServers(peer.name);
    assert.deepEqual(
      client.servers.map(({ name, state }) => [name, state]),
      [[peer.name, 'up']],
    );
  });

  it('are removed by any way to name them', () => {
    const client = new GearmanClient(['a', 'b:1', { host: 'c', name: 'see' }, 'd']);
    client.removeServer('A').removeServer({ host: 'b', port: 1 }).removeServer('see').removeServer('unknown');
    assert.deepEqual(names(client), ['d:4730']);
    assert.throws(() => client.removeServer({ host: '' }), { code: 'GEARMAN_INVALID_ARGUMENT' });
  });

  it('are told with their state', async (t) => {
    const { client, peer, clock } = await proven(t);
    assert.deepEqual(client.servers, [
      {
        name: peer.name,
        state: 'up',
        since: new Date(clock.wallClock()),
        inFlight: 0,
        waiting: 0,
        lastError: undefined,
      },
    ]);
  });
});

describe('what the caller passes', () => {
  it('is never changed', async (t) => {
    const peer = await Peer.start(t, serve);
    const options = deepFreeze({
      servers: [{ host: '127.0.0.1', port: peer.port }],
      backoff: { min: 1, max: 2 },
      tls: false,
      prefix: 'p:',
    });
    const client = new GearmanClient(options);
    t.after(() => client.destroy());
    const submit = deepFreeze({ unique: '', timeout: 5000, at: new Date(0), resubmit: true });
    const ask = deepFreeze({ timeout: 5000 });
    await client.doBackground('f', 'w', submit);
    await client.submitBackground('f', 'w', deepFreeze({ priority: 'high', unique: 'u' }));
    await client.jobStatus('H:1', ask);
    await client.jobStatusByUnique('u', ask);
    for await (const { known } of client.watch('H:1', deepFreeze({ interval: 5 }))) assert.equal(known, false);
    await client.ping(ask);
    await client.close(deepFreeze({ timeout: 100 }));
    assert.deepEqual(submit.unique, '');
  });

  it('may be used for many calls: each job without a unique ID gets its own', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer]);
    const options = { timeout: 5000 };
    await Promise.all([1, 2, 3].map(() => client.doBackground('f', 'w', options)));
    assert.equal(new Set(peer.requests.map(({ args }) => args[1])).size, 3);
    assert.deepEqual(options, { timeout: 5000 });
  });

  it('may be changed after the call, but for the workload', async (t) => {
    const { client, clock, connection } = await proven(t, { maxInFlight: 1 });
    const first = client.doBackground('f', 'w');
    const options: { unique: string; timeout: number } = { unique: 'before', timeout: 500 };
    const call = client.doBackground('f', 'w', options);
    options.unique = 'after';
    options.timeout = 1;
    await connection.received(2);
    clock.advance(400);
    connection.send(jobCreated('H:1'));
    await first;
    assert.equal((await connection.request(2)).args[1], 'before');
    connection.send(jobCreated('H:2'));
    assert.equal(await call, 'H:2');
  });
});

describe('the option prefix', () => {
  it('counts for the length of a function name', async (t) => {
    const client = clientOf(t, [await Peer.start(t, serve)], { prefix: 'p'.repeat(500) });
    await client.doBackground('f'.repeat(11), 'w');
    const error = await rejection(client.doBackground('f'.repeat(12), 'w'), 'GEARMAN_ARGUMENT_TOO_LARGE');
    assert.match(error.message, /with its prefix/);
    await rejection(client.doBackground('', 'w'), 'GEARMAN_INVALID_ARGUMENT');
  });
});

describe('timeouts', () => {
  it('may all be Infinity', async (t) => {
    const peer = await Peer.start(t, serve);
    const client = clientOf(t, [peer], { timeout: Infinity, connectTimeout: Infinity, heartbeat: Infinity });
    assert.equal((await client.doBackground('f', 'w')).length > 0, true);
  });

  it('of a client are what its calls have that say nothing else', async (t) => {
    const peer = await Peer.start(t, freeze);
    const clock = new Clock();
    const client = clientOf(t, [peer], { timeout: 300 }, clock);
    const [short, long] = [
      rejection(client.doBackground('f', 'w'), 'GEARMAN_TIMEOUT'),
      rejection(client.doBackground('f', 'w', { timeout: 600 }), 'GEARMAN_TIMEOUT'),
    ];
    await untilState(client, peer, 'proving');
    await settleDown();
    clock.advance(300);
    await short;
    clock.advance(300);
    await long;
  });
});

describe('uniqueFor', () => {
  it('is the SHA-256 of the workload in base64url, whatever its type', () => {
    assert.equal(uniqueFor(''), '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU');
    assert.equal(uniqueFor('é'), uniqueFor(Buffer.from('é')));
    assert.notEqual(uniqueFor('a'), uniqueFor('b'));
    assert.throws(() => uniqueFor(5 as unknown as string), { code: 'GEARMAN_INVALID_ARGUMENT' });
  });
});
