import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ImagesConfig } from '../../src/images/config.ts';
import type { ImageStore } from '../../src/images/image-service.ts';
import type { RegistryAuth } from '../../src/images/port.ts';
import { FlakyProxy } from '../fixtures/flaky.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { Registry, type RegistryOptions } from '../fixtures/registry.ts';
import { file } from '../fixtures/tar.ts';
import { CertificateAuthority, type KeyPair } from '../fixtures/tls.ts';
import { Recorder } from './recorder.ts';
import { plainHttp, StoreFixture } from './store-fixture.ts';

let directory: string;
let fixture: StoreFixture;
const cleanups: (() => Promise<void>)[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-registry-'));
  fixture = new StoreFixture();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  await fixture.remove();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(options: Omit<RegistryOptions, 'directory'>): Promise<Registry> {
  const registry = await Registry.start({ directory, ...options });
  cleanups.push(() => registry.stop());
  return registry;
}

async function recording(status: number): Promise<Recorder> {
  const recorder = await Recorder.start({ status });
  cleanups.push(() => recorder[Symbol.asyncDispose]());
  return recorder;
}

async function open(config: Partial<ImagesConfig>): Promise<ImageStore> {
  const store = await fixture.open(config);
  cleanups.push(() => store.close());
  return store;
}

const image = buildImage({ label: 'secured', layers: [layer([file('a', 'secret')])] });
const nothing = { username: '', password: '', identityToken: '', registryToken: '', serverAddress: '' };
const authOf = (registry: Registry, change: Partial<RegistryAuth> = {}): RegistryAuth => ({ ...nothing, ...registry.account, ...change });

test('a plain HTTP registry that is not marked so, with the way out', async () => {
  const registry = await serve({});
  const reference = await registry.push('app', 'plain', image);
  const store = await open({});
  await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'registry', hint: expect.stringContaining('"insecure"') as unknown });
});

describe('HTTPS with a private authority', () => {
  test('is trusted when its certificate is configured', async () => {
    const registry = await serve({ tls: true });
    const reference = await registry.push('app', 'tls', image);
    const store = await open({ hosts: { [registry.host]: { ...plainHttp, insecure: false, ca: registry.ca ?? '' } } });
    expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  });

  test('is refused otherwise, with the way out, unless verification is off', async () => {
    const registry = await serve({ tls: true });
    const reference = await registry.push('app', 'tls', image);
    const strict = await open({});
    await expect(strict.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'registry', hint: expect.stringContaining('"ca"') as unknown });
    const lax = await open({ hosts: { [registry.host]: { ...plainHttp, insecure: false, skipVerify: true } } });
    expect((await lax.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  });
});

test('a node that has to show a certificate', async () => {
  const registry = await serve({});
  await registry.push('app', 'mutual', image);
  const authority = new CertificateAuthority(directory);
  const [server, client] = [authority.issue('server'), authority.issue('client')];
  const host = await mutualTls(registry.url, { server, ca: authority.ca });
  const settings = { ...plainHttp, insecure: false, ca: authority.ca.cert };
  const bare = await open({ hosts: { [host]: settings } });
  await expect(bare.pull({ reference: `${host}/app:mutual`, auth: undefined })).rejects.toMatchObject({ kind: 'registry' });
  const shown = await open({ hosts: { [host]: { ...settings, clientCert: client.cert, clientKey: client.key } } });
  expect((await shown.pull({ reference: `${host}/app:mutual`, auth: undefined })).id).toBe(imageId(image));
  const missing = await open({ hosts: { [host]: { ...settings, clientCert: '/nonexistent.crt' } } });
  await expect(missing.pull({ reference: `${host}/app:mutual`, auth: undefined })).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('/nonexistent.crt') as unknown });
});

describe.each(['basic', 'token'] as const)('%s authorization', (auth) => {
  test('takes the right credentials only', async () => {
    const registry = await serve({ auth });
    const reference = await registry.push('private/app', auth, image);
    const store = await open({ hosts: { [registry.host]: plainHttp } });
    for (const wrong of [undefined, authOf(registry, { password: 'wrong' })]) {
      await expect(store.pull({ reference, auth: wrong })).rejects.toMatchObject({ kind: 'denied', message: expect.stringMatching(/40[13]/) as unknown });
    }
    expect((await store.pull({ reference, auth: authOf(registry) })).id).toBe(imageId(image));
    const kept = [fixture.state.load('image'), fixture.state.load('pull'), fixture.warnings];
    expect(JSON.stringify(kept)).toContain('private/app');
    expect(JSON.stringify(kept)).not.toContain('fixture-pass');
  });

  test('an image that is here is still asked for with the caller\'s credentials', async () => {
    const registry = await serve({ auth });
    const reference = await registry.push('private/app', auth, image);
    const store = await open({ hosts: { [registry.host]: plainHttp } });
    await store.pull({ reference, auth: authOf(registry) });
    await expect(store.pull({ reference, auth: undefined })).rejects.toMatchObject({ kind: 'denied' });
    expect((await store.pull({ reference, auth: authOf(registry) })).id).toBe(imageId(image));
  });

  test('credentials of another server are kept back; those of the settings are used', async () => {
    const registry = await serve({ auth });
    const reference = await registry.push('private/app', auth, image);
    const store = await open({ hosts: { [registry.host]: plainHttp } });
    await expect(store.pull({ reference, auth: authOf(registry, { serverAddress: 'https://other.example/v1/' }) })).rejects.toMatchObject({ kind: 'denied' });
    expect((await store.pull({ reference, auth: authOf(registry, { serverAddress: `https://${registry.host}/v1/` }) })).id).toBe(imageId(image));
    const configured = await open({ hosts: { [registry.host]: { ...plainHttp, ...registry.account } } });
    expect((await configured.pull({ reference, auth: undefined })).id).toBe(imageId(image));
  });
});

test('one token serves a whole pull, and the next one until it expires', async () => {
  const registry = await serve({ auth: 'token' });
  const reference = await registry.push('private/app', 'token', image);
  const store = await open({ hosts: { [registry.host]: plainHttp } });
  const asked = registry.tokens?.scopes ?? [];
  asked.length = 0;
  await store.pull({ reference, auth: authOf(registry) });
  await store.pull({ reference, auth: authOf(registry) });
  expect(asked).toEqual(['repository:private/app:pull']);
});

test('anyone may pull what the token service gives to anyone', async () => {
  const registry = await serve({ auth: 'token' });
  const reference = await registry.push('public/app', 'token', image);
  const store = await open({ hosts: { [registry.host]: plainHttp } });
  expect((await store.pull({ reference, auth: undefined })).id).toBe(imageId(image));
});

test('a mirror is asked first, without the registry\'s credentials, and passed over when it fails', async () => {
  const registry = await serve({ auth: 'basic' });
  const reference = await registry.push('private/app', 'mirrored', image);
  const mirror = await recording(503);
  const down = await FlakyProxy.start(registry.url);
  const downHost = down.host;
  await down.stop();
  const store = await open({ hosts: { [registry.host]: { ...plainHttp, mirrors: [downHost, mirror.host] }, [mirror.host]: plainHttp, [downHost]: plainHttp } });
  expect((await store.pull({ reference, auth: authOf(registry) })).id).toBe(imageId(image));
  expect(mirror.seen.length).toBeGreaterThan(0);
  expect(mirror.authorizations).toEqual([]);
  expect(fixture.warnings.join()).toContain('mirror did not answer, asking the next server');
  expect(fixture.warnings.join()).not.toContain('fixture-pass');
});

test('a mirror serves an image of a registry that does not exist', async () => {
  const registry = await serve({});
  await registry.push('app', 'latest', image);
  const store = await open({ hosts: { 'registry.example': { ...plainHttp, mirrors: [registry.host] }, [registry.host]: plainHttp } });
  const pulled = await store.pull({ reference: 'registry.example/app', auth: undefined });
  expect(pulled).toMatchObject({ id: imageId(image), repoTags: ['registry.example/app:latest'] });
});

test('a registry that is served elsewhere than its name says gets its credentials there', async () => {
  const registry = await serve({ auth: 'basic' });
  await registry.push('private/app', 'named', image);
  const store = await open({ hosts: { 'registry.example': { ...plainHttp, server: registry.host } } });
  const pulled = await store.pull({ reference: 'registry.example/private/app:named', auth: authOf(registry, { serverAddress: 'https://registry.example/v1/' }) });
  expect(pulled.repoTags).toEqual(['registry.example/private/app:named']);
});

test('a redirect to another host does not take the credentials along', async () => {
  const registry = await serve({ auth: 'basic' });
  const reference = await registry.push('private/app', 'redirect', image);
  const storage = await recording(404);
  const proxy = await FlakyProxy.start(registry.url);
  cleanups.push(() => proxy.stop());
  const { digest } = image.layers[0]?.descriptor ?? { digest: '' };
  proxy.breakOn({ path: new RegExp(digest), status: 307, headers: { location: `http://${storage.host}/elsewhere` } });
  const store = await open({ hosts: { [proxy.host]: plainHttp } });
  await expect(store.pull({ reference: reference.replace(registry.host, proxy.host), auth: authOf(registry) })).rejects.toMatchObject({ kind: 'not-found' });
  expect(storage.seen).toHaveLength(1);
  expect(storage.authorizations).toEqual([]);
});

/** Passes requests to a plain registry for clients that show a certificate of the authority. */
async function mutualTls(upstream: string, { server: pair, ca }: { readonly server: KeyPair; readonly ca: KeyPair }): Promise<string> {
  const options = { cert: readFileSync(pair.cert), key: readFileSync(pair.key), ca: readFileSync(ca.cert), requestCert: true };
  const server = createTlsServer(options, (incoming, response) => {
    const sent = request(new URL(incoming.url ?? '/', upstream), { method: incoming.method, headers: incoming.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    incoming.pipe(sent);
  });
  return listen(server);
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}
