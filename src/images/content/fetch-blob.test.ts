import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { digestOf } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import { Authorizer } from '../registry/authorizer.ts';
import { anonymous } from '../registry/credentials.ts';
import { ConfiguredEndpoints } from '../registry/configured-endpoints.ts';
import { UndiciTransport } from '../registry/http-transport.ts';
import { RegistryClient } from '../registry/registry-client.ts';
import { RemoteRepository } from '../registry/remote-repository.ts';
import { ContentStore } from './content-store.ts';
import { fetchBlob } from './fetch-blob.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let root: string;
let server: Server;
let handler: Handler;
let transport: UndiciTransport;
let content: ContentStore;
let requests: number;

const blob = Buffer.from('0123456789');
const descriptor = { mediaType: '', digest: digestOf(blob), size: blob.byteLength, annotations: {}, platform: undefined };
const plainHttp = { server: '', mirrors: [], insecure: true, ca: '', clientCert: '', clientKey: '', skipVerify: false, username: '', password: '', identityToken: '' };
const observer = { blobDownloaded: () => undefined, layerUnpacked: () => undefined, pullFinished: () => undefined };

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'berth-fetch-'));
  content = new ContentStore(root);
  await content.open();
  requests = 0;
  server = createServer((request, response) => {
    requests += 1;
    handler(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  transport = new UndiciTransport({ bytesPerSecond: 0, windowMs: 2000 });
});
afterEach(async () => {
  await transport.close();
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true });
});

async function fetchIt(): Promise<void> {
  const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const endpoints = new ConfiguredEndpoints({ [host]: plainHttp });
  const authorizer = new Authorizer({ transport, clock: systemClock, elsewhere: (_url, endpoint) => ({ ...endpoint, credentials: anonymous }) });
  const client = new RegistryClient(transport, authorizer);
  const source = new RemoteRepository({ client, log: { warn: () => undefined } }, { reference: parseReference(`${host}/app:tag`, ''), auth: undefined, endpoints: endpoints.endpoints(host) });
  await fetchBlob({ source, content, clock: systemClock, observer, onProgress: () => undefined, signal: AbortSignal.timeout(10_000) }, descriptor);
}

/** Sends the first bytes of the blob and hangs up. */
const cutAfter = (count: number, response: ServerResponse): void => {
  response.writeHead(200, { 'content-length': blob.byteLength }).write(blob.subarray(0, count), () => response.destroy());
};

test.each<[string, Handler]>([
  ['has no more and says so', ({ headers }, response) => void (headers.range === undefined ? response.end(blob.subarray(0, 7)) : response.writeHead(416).end())],
  ['has no more and knows no ranges', (_request, response) => void response.end(blob.subarray(0, 7))],
  ['always hangs up at the same place', (_request, response) => { cutAfter(7, response); }],
])('a blob is given up when the server %s', async (_name, broken) => {
  handler = broken;
  const wanted = `7 of the 10 bytes of blob ${descriptor.digest} came`;
  await expect(fetchIt()).rejects.toMatchObject({ kind: 'registry', message: expect.stringContaining(wanted) as unknown });
  expect(requests).toBeLessThanOrEqual(7);
});

test('a blob of which a little more comes each time is not given up', async () => {
  handler = (_request, response) => {
    if (requests < 6) cutAfter(requests, response);
    else response.end(blob);
  };
  await fetchIt();
  expect(await content.locate(descriptor.digest)).toBeDefined();
  expect(requests).toBe(6);
});
