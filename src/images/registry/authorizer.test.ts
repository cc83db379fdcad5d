import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Authorizer, type Access } from './authorizer.ts';
import { plainConnection, type Endpoint } from './endpoint.ts';
import { UndiciTransport, type HttpResponse } from './http-transport.ts';
import type { Credentials } from './credentials.ts';

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly authorization: string | undefined;
  readonly body: string;
}

let server: Server;
let transport: UndiciTransport;
let authorizer: Authorizer;
let nowMs: number;
let asked: Asked[];
let reply: object;

beforeEach(async () => {
  nowMs = 1000;
  asked = [];
  reply = { token: 'tok', expires_in: 60 };
  server = createServer((request: IncomingMessage, response) => {
    void text(request).then((body) => {
      asked.push({ method: request.method, url: request.url, authorization: request.headers.authorization, body });
      response.end(JSON.stringify(reply));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  transport = new UndiciTransport({ bytesPerSecond: 0, windowMs: 2000 });
  authorizer = new Authorizer({ transport, clock: { nowNs: () => 0n, monotonicMs: () => nowMs }, elsewhere: (_url, endpoint) => endpoint });
});
afterEach(async () => {
  await transport.close();
  server.closeAllConnections();
  server.close();
});

const realm = (): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/token?x=y`;
const challenge = (header: string): HttpResponse => ({ status: 401, headers: () => [header], body: (async function* () {})(), discard: async () => undefined });
const bearer = (to = realm()): HttpResponse => challenge(`Bearer realm="${to}",service="the service",scope="repository:a/b:pull"`);

function access(credentials: Credentials, scheme = 'http'): Access {
  const endpoint: Endpoint = {
    host: 'registry.example',
    origin: `${scheme}://registry.example`,
    path: '/v2',
    connection: plainConnection,
    headers: {},
    capabilities: { resolve: true, pull: true },
    isRegistry: true,
    namespace: undefined,
    credentials: { kind: 'anonymous' },
  };
  return { endpoint, path: 'a/b', credentials };
}

const answer = (response: HttpResponse, to: Access): Promise<string | undefined> => authorizer.answer(response, to, AbortSignal.timeout(5000));

test('a password is traded for a token that lasts until shortly before it expires', async () => {
  const to = access({ kind: 'password', username: 'u', password: 'p' });
  expect(authorizer.known(to)).toBeUndefined();
  expect(await answer(bearer(), to)).toBe('Bearer tok');
  expect(asked).toMatchObject([{ method: 'GET', authorization: `Basic ${btoa('u:p')}`, url: '/token?x=y&service=the+service&scope=repository%3Aa%2Fb%3Apull' }]);
  nowMs += 54_000;
  expect(authorizer.known(to)).toBe('Bearer tok');
  nowMs += 2000;
  expect(authorizer.known(to)).toBeUndefined();
});

test('nothing is remembered for longer than an hour: passwords and tokens are renewed, and old ones would pile up', async () => {
  const to = access({ kind: 'password', username: 'u', password: 'p' });
  reply = { token: 'tok', expires_in: 1e12 };
  for (const response of [challenge('Basic realm="x"'), bearer()]) {
    const header = await answer(response, to);
    nowMs += 3_590_000;
    expect(authorizer.known(to)).toBe(header);
    nowMs += 20_000;
    expect(authorizer.known(to)).toBeUndefined();
  }
});

test('a token is good for its own caller, repository and server only', async () => {
  const to = access({ kind: 'password', username: 'u', password: 'p' });
  await answer(bearer(), to);
  expect(authorizer.known({ ...to, path: 'a/c' })).toBeUndefined();
  expect(authorizer.known({ ...to, credentials: { kind: 'anonymous' } })).toBeUndefined();
  expect(authorizer.known({ ...to, endpoint: { ...to.endpoint, origin: 'http://other.example' } })).toBeUndefined();
});

test('an identity token goes by POST', async () => {
  reply = { access_token: 'acc' };
  expect(await answer(bearer(), access({ kind: 'identity', token: 'refresh' }))).toBe('Bearer acc');
  expect(Object.fromEntries(new URLSearchParams(asked[0]?.body))).toEqual({ grant_type: 'refresh_token', client_id: 'berth', refresh_token: 'refresh', service: 'the service', scope: 'repository:a/b:pull' });
  expect(asked[0]?.url).not.toContain('refresh');
});

test('a registry token is shown without asking anybody', async () => {
  const to = access({ kind: 'bearer', token: 'given' });
  expect(authorizer.known(to)).toBe('Bearer given');
  expect(await answer(bearer(), to)).toBeUndefined();
  expect(asked).toEqual([]);
});

test('a password does not travel in the clear for a TLS registry', async () => {
  const to = access({ kind: 'password', username: 'u', password: 'p' }, 'https');
  await expect(answer(bearer(), to)).rejects.toMatchObject({ kind: 'registry' });
  await expect(answer(bearer('file:///etc/passwd'), to)).rejects.toMatchObject({ kind: 'registry' });
  expect(asked).toEqual([]);
});

test('a token that would break a header is refused', async () => {
  reply = { token: 'a\r\nx: y' };
  await expect(answer(bearer(), access({ kind: 'anonymous' }))).rejects.toMatchObject({ kind: 'registry', message: expect.stringContaining('no usable token') as unknown });
});

test('nothing to show', async () => {
  expect(await answer(challenge('Basic realm="x"'), access({ kind: 'anonymous' }))).toBeUndefined();
  expect(await answer(challenge('Negotiate'), access({ kind: 'password', username: 'u', password: 'p' }))).toBeUndefined();
});
