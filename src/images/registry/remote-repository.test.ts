import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { digestOf } from '../../oci/digest.ts';
import { mediaTypes } from '../../oci/media-type.ts';
import { parseReference } from '../../oci/reference.ts';
import { Authorizer } from './authorizer.ts';
import { ConfiguredEndpoints } from './configured-endpoints.ts';
import { UndiciTransport } from './http-transport.ts';
import { anonymous } from './credentials.ts';
import { RegistryClient } from './registry-client.ts';
import { RemoteRepository } from './remote-repository.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let handler: Handler;
let transport: UndiciTransport;
let repository: RemoteRepository;
let seen: IncomingMessage[];

const auth = { username: 'u', password: 'p', identityToken: '', registryToken: '', serverAddress: '' };
const signal = AbortSignal.timeout(20_000);
const host = (): string => `127.0.0.1:${String((server.address() as AddressInfo).port)}`;

beforeEach(async () => {
  seen = [];
  server = createServer((request, response) => {
    seen.push(request);
    handler(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  transport = new UndiciTransport({ bytesPerSecond: 0, windowMs: 2000 });
  const insecure = { server: '', mirrors: [], insecure: true, ca: '', clientCert: '', clientKey: '', skipVerify: false, username: '', password: '', identityToken: '' };
  const endpoints = new ConfiguredEndpoints({ [host()]: insecure });
  const authorizer = new Authorizer({ transport, clock: systemClock, elsewhere: (_url, endpoint) => ({ ...endpoint, credentials: anonymous }) });
  const log = { warn: () => undefined };
  repository = new RemoteRepository({ client: new RegistryClient(transport, authorizer), log }, { reference: parseReference(`${host()}/app:tag`, ''), auth, endpoints: endpoints.endpoints(host()) });
});
afterEach(async () => {
  await transport.close();
  server.closeAllConnections();
  server.close();
});

const blob = Buffer.from('0123456789');
const descriptor = { mediaType: '', digest: digestOf(blob), size: blob.byteLength, annotations: {}, platform: undefined };
const rejected = (answer: Promise<unknown>): Promise<{ readonly message: string; readonly kind: string; readonly transient?: boolean; readonly retryAfterMs?: number }> =>
  answer.then(
    () => expect.fail('it should have failed'),
    (error: unknown) => error as { readonly message: string; readonly kind: string },
  );

test('a token that the server no longer takes is replaced', async () => {
  let valid = 'first';
  handler = (request, response) => {
    if (request.url?.startsWith('/token') === true) response.end(JSON.stringify({ token: valid, expires_in: 3600 }));
    else if (request.headers.authorization === `Bearer ${valid}`) response.end('{}');
    else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${host()}/token",service="s"` }).end();
  };
  await repository.manifest('tag', signal);
  valid = 'second';
  await repository.manifest('tag', signal);
  expect(seen.filter(({ url }) => url?.startsWith('/token') === true)).toHaveLength(2);
});

test('redirects are followed, but not for ever', async () => {
  handler = (request, response) => {
    if (request.url === '/here') response.end(blob);
    else response.writeHead(307, { location: '/here' }).end();
  };
  const opened = await repository.open(descriptor, 0, signal);
  expect(await buffer(opened.body)).toEqual(blob);
  handler = (request, response) => response.writeHead(302, { location: request.url }).end();
  expect(await rejected(repository.manifest('tag', signal))).toMatchObject({ message: expect.stringContaining('too many redirects') as unknown });
});

test('a redirect to something that is not HTTP is refused', async () => {
  handler = (_request, response) => response.writeHead(307, { location: 'file:///etc/passwd' }).end();
  expect(await rejected(repository.open(descriptor, 0, signal))).toMatchObject({ kind: 'registry', message: expect.stringContaining('insecure') as unknown });
});

test('a range that begins elsewhere is not appended', async () => {
  handler = (_request, response) => response.writeHead(206, { 'content-range': 'bytes 3-9/10' }).end(blob.subarray(3));
  expect(await rejected(repository.open(descriptor, 5, signal))).toMatchObject({ transient: true });
  const opened = await repository.open(descriptor, 3, signal);
  expect(opened.offset).toBe(3);
  expect(seen.at(-1)?.headers.range).toBe('bytes=3-');
  expect(await buffer(opened.body)).toEqual(blob.subarray(3));
});

test('a range that cannot be served leads to the whole', async () => {
  handler = (request, response) => {
    if (request.headers.range !== undefined) response.writeHead(416).end();
    else response.end(blob);
  };
  const opened = await repository.open(descriptor, 5, signal);
  expect(opened.offset).toBe(0);
  expect(await buffer(opened.body)).toEqual(blob);
});

test('a manifest that is too large is not read to its end', async () => {
  handler = (_request, response) => response.end(Buffer.alloc(5 * 1024 * 1024, ' '));
  expect(await rejected(repository.manifest('tag', signal))).toMatchObject({ kind: 'registry', message: expect.stringContaining('larger than 4194304') as unknown });
});

test('a digest that the server claims wrongly', async () => {
  handler = (_request, response) => response.writeHead(200, { 'docker-content-digest': digestOf('other'), 'content-type': mediaTypes.ociManifest }).end('{}');
  expect(await rejected(repository.manifest('tag', signal))).toMatchObject({ kind: 'signature' });
});

test('what a digest means is not for the server to say', async () => {
  const asked = digestOf('asked');
  const claim = (header: Readonly<Record<string, string>>): void => {
    handler = (_request, response) => response.writeHead(200, header).end();
  };
  claim({ 'docker-content-digest': digestOf('other') });
  expect(await repository.headManifest('tag', signal)).toBe(digestOf('other'));
  expect(await rejected(repository.headManifest(asked, signal))).toMatchObject({ kind: 'signature', message: expect.stringContaining(asked) as unknown });
  claim({ 'docker-content-digest': asked });
  expect(await repository.headManifest(asked, signal)).toBe(asked);
  claim({});
  expect(await repository.headManifest(asked, signal)).toBe(asked);
  expect(await repository.headManifest('tag', signal)).toBeUndefined();
});

test('an error names the reference, the server and what it said, made safe', async () => {
  handler = (_request, response) => response.writeHead(429, { 'retry-after': '7' }).end(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow\ndown\u001b[31m' }] }));
  expect(await rejected(repository.manifest('tag', signal))).toMatchObject({
    kind: 'registry',
    message: `cannot pull ${host()}/app:tag: ${host()} answered 429, TOOMANYREQUESTS slow?down?[31m`,
    transient: true,
    retryAfterMs: 7000,
  });
});

test('an error page is not mistaken for an error message', async () => {
  handler = (_request, response) => response.writeHead(502).end('<html>bad gateway</html>');
  expect((await rejected(repository.manifest('tag', signal))).message).toBe(`cannot pull ${host()}/app:tag: ${host()} answered 502`);
});

test('a caller who leaves gets its own reason', async () => {
  const leaving = new AbortController();
  handler = () => {
    leaving.abort(new Error('left'));
  };
  expect((await rejected(repository.manifest('tag', leaving.signal))).message).toBe('left');
});
