/** Clients for tests, and what tests say about them. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { TestContext } from 'node:test';
import { GearmanClient } from '../../src/client/client.js';
import type { GearmanClientOptions } from '../../src/client/options.js';
import { GearmanError, GearmanProtocolError, type GearmanErrorCode } from '../../src/errors.js';
import type { Runtime } from '../../src/runtime.js';
import type { ServerState, ServerStateName } from '../../src/transport/endpoint.js';
import { Clock } from './clock.js';
import { Peer, jobCreated, serve, type PeerConnection } from './peer.js';

/** A client of the peers that lives as long as the test; jobs go to the first peer that is up. */
export function clientOf(
  t: TestContext,
  peers: readonly Peer[],
  options: GearmanClientOptions = {},
  runtime?: Runtime,
): GearmanClient {
  const settings = { servers: peers.map(({ name }) => name), routing: 'in-order', ...options } as const;
  const client = runtime === undefined ? new GearmanClient(settings) : new GearmanClient(settings, runtime);
  t.after(() => {
    client.destroy();
  });
  return client;
}

/** What the promise rejects with, which must be an error of ours with this code. */
export async function rejection(promise: Promise<unknown>, code: GearmanErrorCode): Promise<GearmanError> {
  const outcome: unknown = await promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );
  assert.ok(outcome instanceof GearmanError, `expected ${code}, got ${String(outcome)}`);
  assert.equal(outcome.code, code, outcome.message);
  return outcome;
}

/** Calls that were rejected with their connection tell why it was destroyed. */
export async function assertDestroyed(call: Promise<unknown>, code: GearmanErrorCode): Promise<GearmanError> {
  const error = await rejection(call, 'GEARMAN_LOST_CONNECTION');
  assert.ok(error.cause instanceof GearmanProtocolError, String(error.cause));
  assert.equal(error.cause.code, code);
  return error;
}

/** What the client says of a server now. */
export function stateOf(client: GearmanClient, { name }: Pick<Peer, 'name'>): ServerState {
  const state = client.servers.find((server) => server.name === name);
  assert.ok(state !== undefined, `${name} is not in the pool`);
  return state;
}

/** Resolves when a server is in the state; at once if it is already. */
export async function untilState(
  client: GearmanClient,
  peer: Pick<Peer, 'name'>,
  wanted: ServerStateName,
): Promise<void> {
  if (stateOf(client, peer).state === wanted) return;
  await new Promise<void>((resolve) => {
    const onChange = (): void => {
      if (stateOf(client, peer).state !== wanted) return;
      unsubscribe('gearman:connection', onChange);
      resolve();
    };
    subscribe('gearman:connection', onChange);
  });
}

/** Resolves once sockets were read and everything that was resolved by then has run. */
export async function settleDown(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Whether the promise is still pending. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settled = (): void => {
    pending = false;
  };
  promise.then(settled, settled);
  await settleDown();
  return pending;
}

/** A client with one proven connection, which the test answers by hand, in a time that the test moves. */
export interface Proven {
  readonly client: GearmanClient;
  readonly clock: Clock;
  readonly peer: Peer;
  /** One request has come on it, and was answered. */
  readonly connection: PeerConnection;
}

/** Makes {@link Proven}; the connections after the first one are served. */
export async function proven(t: TestContext, options: GearmanClientOptions = {}): Promise<Proven> {
  const peer = await Peer.start(t, () => undefined, serve);
  const clock = new Clock();
  const client = clientOf(t, [peer], options, clock);
  const proof = client.doBackground('proof', '');
  const connection = await peer.connection(0);
  await connection.received(1);
  connection.send(jobCreated('H:proof'));
  await proof;
  return { client, clock, peer, connection };
}

/** Everything that an iteration yields, added to `into` as it comes. */
export async function collect<Item>(items: AsyncIterable<Item>, into: Item[] = []): Promise<Item[]> {
  for await (const item of items) into.push(item);
  return into;
}
