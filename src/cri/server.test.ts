import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, loadPackageDefinition, Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseConfig } from '../config/load-config.ts';
import { ReadyGate } from '../doors/ready-gate.ts';
import type { Engine } from '../engine/port.ts';
import { BerthError, errorKinds } from '../lib/errors.ts';
import { createLogger } from '../telemetry/log.ts';
import { CriContract, imageService, runtimeService } from './contract.ts';
import { grpcProtocol, grpcStatus } from './grpc-status.ts';
import { tables } from './rpc/routes.ts';
import { CriServer } from './server.ts';

const protoPath = join(import.meta.dirname, '../../proto/cri/api.proto');
const definition = loadSync(protoPath, { keepCase: true, longs: String, enums: String, defaults: true });

type Reply = Readonly<Record<string, unknown>>;
type Invoke = (request: object, metadata: Metadata, options: { deadline?: number }, done: (error: ServiceError | null, reply: Reply) => void) => void;
type Service = new (address: string, creds: ReturnType<typeof credentials.createInsecure>) => Client & Record<string, Invoke>;
const services = (loadPackageDefinition(definition)['runtime'] as unknown as { v1: Record<'RuntimeService' | 'ImageService', Service> }).v1;

let scratch = '';
let server: CriServer;
let client: Client & Record<string, Invoke>;
let gate: ReadyGate;
let logged: string[];
let measured: string[];
const config = parseConfig('', '/c', () => ({ mode: 0o600, uid: 0 }));

const urls = { exec: (ticket: object) => JSON.stringify(ticket), attach: (ticket: object) => JSON.stringify(ticket), portForward: (ticket: object) => JSON.stringify(ticket) };

async function serve(engine: object): Promise<void> {
  const parts = { gate, metrics: { rpcEnded: (method: string, code: string) => { measured.push(`${method} ${code}`); } }, log: createLogger({ level: 'info', format: 'json' }, (line) => { logged.push(line); }) };
  server = new CriServer({ engine: { onFact: () => undefined, ...engine } as unknown as Engine, config, streaming: urls, version: '1.2.3' }, parts, { path: join(scratch, 's.sock'), mode: 0o660, gid: -1 });
  await server.listen();
  client = new services.RuntimeService(`unix:${scratch}/s.sock`, credentials.createInsecure());
}

async function call(method: string, request: object = {}, deadline?: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    client[method]?.(request, new Metadata(), deadline === undefined ? {} : { deadline }, (error, reply) => {
      if (error === null) resolve(reply);
      else reject(error);
    });
  });
}

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-cri-'));
  gate = new ReadyGate();
  logged = [];
  measured = [];
});

afterEach(async () => {
  client.close();
  await server.close(100);
  rmSync(scratch, { recursive: true });
});

test('calls are refused as unavailable until the gate opens, and again once it closes', async () => {
  await serve({});
  await expect(call('Version')).rejects.toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('recovering') });
  gate.open();
  await expect(call('Version')).resolves.toEqual({ version: '0.1.0', runtime_name: 'berth', runtime_version: '1.2.3', runtime_api_version: 'v1' });
  gate.close('berthd is shutting down');
  await expect(call('Version')).rejects.toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('shutting down') });
  expect(measured).toEqual(['Version UNAVAILABLE', 'Version OK', 'Version UNAVAILABLE']);
});

test('the socket replaces a stale one and has the configured mode', async () => {
  writeFileSync(join(scratch, 's.sock'), 'stale');
  await serve({});
  expect(statSync(join(scratch, 's.sock')).mode & 0o777).toBe(0o660);
  expect(statSync(join(scratch, 's.sock')).isSocket()).toBe(true);
});

test("a client's deadline aborts the work, with a reason that says so", async () => {
  const seen = Promise.withResolvers<unknown>();
  await serve({
    pods: {
      stop: async (_id: string, signal: AbortSignal) => {
        signal.addEventListener('abort', () => { seen.resolve(signal.reason); });
        await sleep(10_000, undefined, { signal });
      },
    },
  });
  gate.open();
  await expect(call('StopPodSandbox', { pod_sandbox_id: 'x' }, Date.now() + 150)).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  await expect(seen.promise).resolves.toMatchObject({ kind: 'timeout' });
});

test('an unknown throwable is told without its detail, which goes to the log', async () => {
  await serve({ pods: { list: () => { throw new TypeError('secret detail'); } } });
  gate.open();
  await expect(call('ListPodSandbox')).rejects.toMatchObject({ code: status.INTERNAL, details: 'ListPodSandbox failed inside berthd; its log has the cause' });
  expect(logged.join('')).toContain('secret detail');
});

test('a failure shows its message and hint', async () => {
  await serve({ pods: { get: () => { throw new BerthError('not-found', 'pod "x" does not exist', { hint: 'list them' }); } } });
  gate.open();
  await expect(call('PodSandboxStatus', { pod_sandbox_id: 'x' })).rejects.toMatchObject({ code: status.NOT_FOUND, details: 'pod "x" does not exist; list them' });
});

test('a reader of events that was cut off is told so', async () => {
  let tell: (fact: object) => void = () => undefined;
  await serve({
    images: { list: () => [] },
    onFact: (listener: typeof tell) => { tell = listener; },
    containers: { list: () => [] },
    pods: { find: () => undefined },
  });
  gate.open();
  const fact = { action: 'created', id: 'c', atNs: 1n, attributes: {} };
  tell(fact);
  const stream = (client as unknown as { GetContainerEvents(request: object): AsyncIterable<{ readonly container_id: string }> }).GetContainerEvents({});
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { container_id: id } of stream) {
      seen.push(id);
      for (let more = 0; more <= 1000; more += 1) tell(fact);
    }
  })();
  await expect(reading).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: expect.stringContaining('lags too far behind') });
  expect(seen).toEqual(['c']);
});

test('a list that is too long for one message comes as a stream of several', async () => {
  const pod = (index: number) => ({ id: String(index), config: { door: { metadata: { name: 'p', namespace: 'n', uid: 'u', attempt: 0 } }, labels: {}, annotations: { big: 'x'.repeat(200_000) }, runtimeHandler: '' }, state: 'ready', createdAtNs: 1n });
  await serve({ pods: { list: () => Array.from({ length: 120 }, (_, index) => pod(index)) } });
  gate.open();
  const stream = (client as unknown as { StreamPodSandboxes(request: object): AsyncIterable<{ readonly pod_sandboxes: readonly { readonly id: string }[] }> }).StreamPodSandboxes({});
  const sizes: number[] = [];
  const ids: string[] = [];
  for await (const { pod_sandboxes: pods } of stream) {
    sizes.push(pods.length);
    ids.push(...pods.map(({ id }) => id));
  }
  expect(sizes.length).toBeGreaterThan(4);
  expect(ids).toEqual(Array.from({ length: 120 }, (_, index) => String(index)));
});

test('an empty list is an empty stream', async () => {
  await serve({ containers: { list: () => [] } });
  gate.open();
  const stream = (client as unknown as { StreamContainers(request: object): AsyncIterable<unknown> }).StreamContainers({});
  const messages: unknown[] = [];
  for await (const message of stream) messages.push(message);
  expect(messages).toEqual([]);
});

test('every RPC of the contract is in exactly one table, and the streams alone are generators', async () => {
  await serve({});
  const isGenerator = (handler: object): boolean => handler.constructor.name.endsWith('GeneratorFunction');
  const rows = tables.flatMap((table) => Object.entries(table).map(([name, handler]) => `${name} ${isGenerator(handler)}`));
  const contract = new CriContract();
  const methods = [runtimeService, imageService].flatMap((service) => contract.methods(service));
  expect(methods).toHaveLength(43);
  expect(rows.toSorted()).toEqual(methods.map(({ name, responseStream }) => `${name} ${responseStream}`).toSorted());
});

test('at a shutdown event streams end at once and well, and work that outlasts the drain hears why it ends', async () => {
  const seen = Promise.withResolvers<unknown>();
  const waiting = Promise.withResolvers<void>();
  const tell = Promise.withResolvers<(fact: object) => void>();
  await serve({
    images: { list: () => [] },
    onFact: (listener: (fact: object) => void) => { tell.resolve(listener); },
    containers: { list: () => [] },
    pods: {
      find: () => undefined,
      stop: async (_id: string, signal: AbortSignal) => {
        signal.addEventListener('abort', () => { seen.resolve(signal.reason); });
        waiting.resolve();
        await sleep(60_000, undefined, { signal });
      },
    },
  });
  gate.open();
  const stopping = expect(call('StopPodSandbox', { pod_sandbox_id: 'x' })).rejects.toMatchObject({ code: status.CANCELLED });
  await waiting.promise;
  (await tell.promise)({ action: 'removed', id: 'c', atNs: 1n, attributes: {} });
  const stream = (client as unknown as { GetContainerEvents(request: object): AsyncIterable<{ readonly container_id: string }> }).GetContainerEvents({});
  const ids: string[] = [];
  let closed: Promise<void> | undefined;
  for await (const { container_id: id } of stream) {
    ids.push(id);
    closed = server.close(200);
  }
  expect(ids).toEqual(['c']);
  await expect(seen.promise).resolves.toMatchObject({ kind: 'unavailable', message: 'berthd is shutting down' });
  await stopping;
  await closed;
});

test('the kubelet can tell a registry failure and a bad signature by the beginning of the message', async () => {
  await serve({});
  expect(grpcStatus(new BerthError('registry', 'r.example answered 503'), 'PullImage')).toEqual({ code: status.UNKNOWN, details: 'RegistryUnavailable: r.example answered 503' });
  expect(grpcStatus(new BerthError('signature', 'no key'), 'PullImage')).toEqual({ code: status.UNKNOWN, details: 'SignatureValidationFailed: no key' });
});

test('a message that was cut in the middle of a character is told, and ends nothing', async () => {
  await serve({ pods: { list: () => { throw new BerthError('invalid', 'no \ud83d here'); } } });
  gate.open();
  await expect(call('ListPodSandbox')).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, details: 'no \ufffd here' });
});

const ask = { container_id: 'c1', cmd: ['sh'], tty: false, stdin: true, stdout: true, stderr: true };
const withContainer = (state: string) => ({ containers: { get: () => ({ id: 'c1full', state }) }, pods: { get: () => ({ id: 'p1full', state }) } });

test('a valid request for streams becomes a ticket with the whole id', async () => {
  gate.open();
  await serve(withContainer('running'));
  const streams = { stdin: true, stdout: true, stderr: true, tty: false };
  expect(JSON.parse(String((await call('Exec', ask))['url']))).toEqual({ containerId: 'c1full', command: ['sh'], streams });
  expect(JSON.parse(String((await call('Attach', ask))['url']))).toEqual({ containerId: 'c1full', streams });
});

test.each([
  ['Exec', { ...ask, stdin: false, stdout: false, stderr: false }],
  ['Exec', { ...ask, tty: true }],
  ['Exec', { ...ask, cmd: [] }],
  ['Exec', { ...ask, container_id: '' }],
  ['Attach', { ...ask, stdin: false, stdout: false, stderr: false }],
  ['Attach', { ...ask, tty: true }],
  ['PortForward', { pod_sandbox_id: '' }],
  ['PortForward', { pod_sandbox_id: 'p1', port: [0] }],
  ['PortForward', { pod_sandbox_id: 'p1', port: [65_536] }],
])('%s with %j is invalid', async (method, request) => {
  gate.open();
  await serve(withContainer('running'));
  await expect(call(method, request)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('there are no streams of what does not run', async () => {
  gate.open();
  await serve(withContainer('exited'));
  await expect(call('Exec', ask)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION, details: 'container c1full is exited and not running' });
  await expect(call('Attach', ask)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
  await expect(call('PortForward', { pod_sandbox_id: 'p1' })).rejects.toMatchObject({ code: status.FAILED_PRECONDITION, details: 'pod p1full is exited' });
});

test('every kind has a code', async () => {
  await serve({});
  expect(errorKinds.map((kind) => `${kind} ${grpcProtocol.outcomeOf(new BerthError(kind, ''), 'X').code}`)).toEqual([
    'invalid INVALID_ARGUMENT',
    'not-found NOT_FOUND',
    'already-exists ALREADY_EXISTS',
    'precondition FAILED_PRECONDITION',
    'timeout DEADLINE_EXCEEDED',
    'canceled CANCELLED',
    'exhausted RESOURCE_EXHAUSTED',
    'unavailable UNAVAILABLE',
    'unimplemented UNIMPLEMENTED',
    'denied PERMISSION_DENIED',
    'registry UNKNOWN',
    'signature UNKNOWN',
    'internal INTERNAL',
  ]);
});
