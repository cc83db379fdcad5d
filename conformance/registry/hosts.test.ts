import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ImagesConfig } from '../../src/images/config.ts';
import type { ImageStore } from '../../src/images/image-service.ts';
import { FlakyProxy } from '../fixtures/flaky.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { Registry, type RegistryOptions } from '../fixtures/registry.ts';
import { file } from '../fixtures/tar.ts';
import { CertificateAuthority } from '../fixtures/tls.ts';
import { Recorder, type Answer } from './recorder.ts';
import { plainHttp, StoreFixture } from './store-fixture.ts';
import { TunnelProxy } from './tunnel-proxy.ts';

let directory: string;
let fixture: StoreFixture;
let undo: AsyncDisposableStack;
let store: ImageStore;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-registry-'));
  undo = new AsyncDisposableStack();
  fixture = new StoreFixture();
  store = await open();
});
afterEach(async () => {
  await undo.disposeAsync();
  await fixture.remove();
  rmSync(directory, { recursive: true, force: true });
});

async function open(change: Partial<ImagesConfig> = {}): Promise<ImageStore> {
  const opened = await fixture.open({ certsDirs: [join(directory, 'certs.d')], ...change });
  undo.defer(() => opened.close());
  return opened;
}

async function serve(options: Omit<RegistryOptions, 'directory'> = {}, name = 'registry'): Promise<Registry> {
  const own = join(directory, name);
  mkdirSync(own, { recursive: true });
  return undo.use(await Registry.start({ directory: own, ...options }));
}

const proxied = async (registry: Registry): Promise<FlakyProxy> => undo.use(await FlakyProxy.start(registry.url));
const recording = async (answer: Answer): Promise<Recorder> => undo.use(await Recorder.start(answer));

/** Writes the settings of one registry; returns the file's path. */
function hosts(name: string, toml: string): string {
  const own = join(directory, 'certs.d', name);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'hosts.toml'), toml);
  return join(own, 'hosts.toml');
}

const image = buildImage({ label: 'hosts', layers: [layer([file('a', 'hosts')])] });
const pull = (reference: string, auth: Parameters<ImageStore['pull']>[0]['auth'] = undefined) => store.pull({ reference, auth });
const authOf = (registry: Registry) => ({ username: '', password: '', identityToken: '', registryToken: '', serverAddress: '', ...registry.account });

test('a loopback registry stands in for one that does not exist, and learns for which', async () => {
  const registry = await serve();
  await registry.push('app', '1', image);
  const mirror = await proxied(registry);
  hosts('registry.example', `[host."http://${mirror.host}"]`);
  expect(await pull('registry.example/app:1')).toMatchObject({ id: imageId(image), repoTags: ['registry.example/app:1'] });
  expect(mirror.seen.length).toBeGreaterThan(2);
  expect(mirror.seen.every(({ path }) => path.startsWith('/v2/app/') && path.endsWith('?ns=registry.example'))).toBe(true);
});

test('settings are read at each pull, and a bad file is named until it is mended', async () => {
  const registry = await serve();
  await registry.push('app', '1', image);
  const path = hosts('registry.example', 'sever = "x"');
  await expect(pull('registry.example/app:1')).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining(path) as unknown });
  hosts('registry.example', `server = "http://${registry.host}"`);
  expect((await pull('registry.example/app:1')).id).toBe(imageId(image));
});

test('the directory for all registries serves those without their own', async () => {
  const registry = await serve();
  await registry.push('app', '1', image);
  hosts('_default', `server = "http://${registry.host}"`);
  hosts('own.example_5000_', 'server = "http://127.0.0.1:1"');
  expect((await pull('any.example/app:1')).id).toBe(imageId(image));
  await expect(pull('own.example:5000/app:1')).rejects.toMatchObject({ kind: 'registry' });
});

test('only who may resolve is asked what a tag means, and blobs come from who may only pull', async () => {
  const registry = await serve();
  await registry.push('app', '1', image);
  const [mirror, server] = [await proxied(registry), await proxied(registry)];
  hosts('registry.example', `server = "http://${server.host}"\n[host."http://${mirror.host}"]\ncapabilities = ["pull"]`);
  await pull('registry.example/app:1');
  expect([mirror.count('GET', /manifests\/1/), mirror.count('HEAD', /manifests\/1/)]).toEqual([0, 0]);
  expect(server.count('GET', /manifests\/1/)).toBe(1);
  expect([mirror.count('GET', /blobs/), server.count('GET', /blobs/)]).toEqual([2, 0]);
  hosts('registry.example', `server = "http://${server.host}"\ncapabilities = ["push"]`);
  await expect(pull('registry.example/app:1')).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('"resolve"') as unknown });
});

test('a server whose API is elsewhere, with headers of its own', async () => {
  const wanted = await recording({ status: 404 });
  hosts('registry.example', `server = "http://${wanted.host}/api/oci"\noverride_path = true\n[header]\nx-team = ["a", "b"]`);
  await expect(pull('registry.example/app:1')).rejects.toMatchObject({ kind: 'not-found' });
  expect(wanted.seen).toMatchObject([{ url: '/api/oci/app/manifests/1?ns=registry.example', headers: { 'x-team': 'a, b' } }]);
});

test('what every server said is told when none has the image', async () => {
  const [down, server] = [await recording({ status: 503 }), await recording({ status: 404 })];
  hosts('registry.example', `server = "http://${server.host}"\n[host."http://127.0.0.1:1"]\n[host."http://${down.host}"]`);
  const wanted = new RegExp(`^cannot pull registry.example/app:1: ${server.host} answered 404 \\(before it, 127.0.0.1:1: .*ECONNREFUSED.*; ${down.host} answered 503\\)$`);
  await expect(pull('registry.example/app:1')).rejects.toMatchObject({ kind: 'not-found', message: expect.stringMatching(wanted) as unknown });
});

test('a host that does not answer the dial is given up in time', async () => {
  const registry = await serve();
  await registry.push('app', '1', image);
  // TEST-NET-1: nobody is there, and nobody says so.
  hosts('registry.example', `server = "http://${registry.host}"\n[host."http://192.0.2.1:5000"]\ndial_timeout = "200ms"`);
  const startedMs = performance.now();
  await pull('registry.example/app:1');
  expect(performance.now() - startedMs).toBeLessThan(8000);
});

describe('TLS', () => {
  test('an authority beside the file, and one that is renewed without a restart', async () => {
    const registry = await serve({ tls: true });
    await registry.push('app', '1', image);
    const path = hosts('registry.example', `server = "${registry.url}"\nca = ["ca.crt"]`);
    const other = join(directory, 'other');
    mkdirSync(other);
    copyFileSync(new CertificateAuthority(other).ca.cert, join(path, '../ca.crt'));
    await expect(pull('registry.example/app:1')).rejects.toMatchObject({ kind: 'registry' });
    copyFileSync(registry.ca ?? '', join(path, '../ca.crt'));
    expect((await pull('registry.example/app:1')).id).toBe(imageId(image));
  });

  test('verification can be left out for one host', async () => {
    const registry = await serve({ tls: true });
    await registry.push('app', '1', image);
    hosts('registry.example', `[host."${registry.url}"]\nskip_verify = true`);
    expect((await pull('registry.example/app:1')).id).toBe(imageId(image));
    hosts('registry.example', `server = "${registry.url}"`);
    await expect(pull('registry.example/app:1')).rejects.toMatchObject({ kind: 'registry', message: expect.stringMatching(/certificate/) as unknown });
  });

  test("Docker's certificate files", async () => {
    const registry = await serve({ tls: true });
    const reference = await registry.push('app', '1', image);
    const own = join(directory, 'certs.d', registry.host);
    mkdirSync(own, { recursive: true });
    copyFileSync(registry.ca ?? '', join(own, 'ca.crt'));
    expect((await pull(reference)).id).toBe(imageId(image));
  });
});

describe('credentials', () => {
  const denying = { status: 401, headers: { 'www-authenticate': 'Basic realm="steal"' } };

  test('of a pull go to no mirror, whatever it demands, and to no token service of a mirror', async () => {
    const registry = await serve({ auth: 'basic' });
    await registry.push('private/app', '1', image);
    const service = await recording({ status: 200, body: '{"token":"t"}' });
    const [basic, token] = [await recording(denying), await recording({ status: 401, headers: { 'www-authenticate': `Bearer realm="http://${service.host}/token",service="s"` } })];
    hosts('registry.example', `server = "http://${registry.host}"\n[host."http://${basic.host}"]\n[host."http://${token.host}"]`);
    expect((await pull('registry.example/private/app:1', authOf(registry))).id).toBe(imageId(image));
    expect(basic.seen.length).toBeGreaterThan(0);
    expect([...basic.authorizations, ...service.authorizations]).toEqual([]);
    expect(token.authorizations.every((value) => value === 'Bearer t')).toBe(true);
    expect(fixture.warnings.join()).not.toContain('fixture-pass');
  });

  test('go to the mirror that they are for, and then not to the registry', async () => {
    const registry = await serve({ auth: 'basic' });
    await registry.push('private/app', '1', image);
    const server = await recording(denying);
    hosts('registry.example', `server = "http://${server.host}"\n[host."http://${registry.host}"]`);
    await pull('registry.example/private/app:1', { ...authOf(registry), serverAddress: registry.host });
    await expect(pull('registry.example/private/none:1', { ...authOf(registry), serverAddress: registry.host })).rejects.toMatchObject({ kind: 'denied' });
    expect(server.seen.length).toBeGreaterThan(0);
    expect(server.authorizations).toEqual([]);
  });

  test('of a registry do not go to the server for all registries', async () => {
    const server = await recording(denying);
    hosts('_default', `server = "http://${server.host}"`);
    const auth = { username: 'u', password: 'p', identityToken: '', registryToken: 'r', serverAddress: '' };
    await expect(pull('registry.example/app:1', auth)).rejects.toMatchObject({ kind: 'denied' });
    expect(server.seen.length).toBeGreaterThan(0);
    expect(server.authorizations).toEqual([]);
  });

  test('are not asked away by storage that a registry redirects to, which gets a token for anyone at most', async () => {
    const registry = await serve({ auth: 'basic' });
    await registry.push('private/app', '1', image);
    const service = await recording({ status: 200, body: '{"token":"t"}' });
    const storage = await recording({ status: 401, headers: { 'www-authenticate': `Bearer realm="http://${service.host}/token"` } });
    const proxy = await proxied(registry);
    proxy.breakOn({ path: /blobs/, status: 307, headers: { location: `http://${storage.host}/blob` } });
    hosts('registry.example', `server = "http://${proxy.host}"\n[header]\nx-secret = "s"`);
    await expect(pull('registry.example/private/app:1', authOf(registry))).rejects.toMatchObject({ kind: 'denied' });
    expect(storage.seen.length).toBeGreaterThan(0);
    expect(new Set(storage.seen.flatMap(({ headers }) => headers.authorization ?? headers['x-secret'] ?? []))).toEqual(new Set(['Bearer t']));
    expect([service.seen.length > 0, service.authorizations]).toEqual([true, []]);
  });

  test('of the settings are used for the registry of a file', async () => {
    const registry = await serve({ auth: 'basic' });
    await registry.push('private/app', '1', image);
    hosts('registry.example', `server = "http://${registry.host}"`);
    store = await open({ hosts: { 'registry.example': { ...plainHttp, ...registry.account } } });
    expect((await pull('registry.example/private/app:1')).id).toBe(imageId(image));
  });
});

describe('an HTTP proxy', () => {
  test('of a host is asked for plain HTTP and tunnels TLS', async () => {
    const [plain, secure] = [await serve(), await serve({ tls: true }, 'secure')];
    await plain.push('app', '1', image);
    await using proxy = await TunnelProxy.start();
    hosts('registry.example', `server = "${plain.url}"\nproxy = "${proxy.url}"`);
    expect((await pull('registry.example/app:1')).id).toBe(imageId(image));
    expect(new Set(proxy.asked)).toEqual(new Set([`GET ${plain.host}`]));
    proxy.asked.length = 0;
    await secure.push('app', '1', image);
    hosts('secure.example', `server = "${secure.url}"\nca = "${secure.ca}"\nproxy = "${proxy.url}"`);
    expect((await pull('secure.example/app:1')).repoTags).toContain('secure.example/app:1');
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${secure.host}`]));
  });

  test('of a host is the way to storage on another host, too', async () => {
    const registry = await serve();
    await registry.push('app', '1', image);
    const server = await proxied(registry);
    for (const { descriptor } of [image.config, ...image.layers]) {
      const path = `/v2/app/blobs/${descriptor.digest}`;
      server.breakOn({ path: new RegExp(path), status: 307, headers: { location: `http://storage.example${path}` } });
    }
    await using proxy = await TunnelProxy.start({ 'storage.example': registry.host });
    hosts('registry.example', `server = "http://${server.host}"\nproxy = "${proxy.url}"`);
    expect((await pull('registry.example/app:1')).id).toBe(imageId(image));
    expect(new Set(proxy.asked)).toEqual(new Set([`GET ${server.host}`, 'GET storage.example']));
  });

  test('of the environment is used for what is not on this machine', async () => {
    const registry = await serve();
    await registry.push('app', '1', image);
    await using proxy = await TunnelProxy.start({ 'registry.example': registry.host });
    vi.stubEnv('HTTP_PROXY', proxy.url);
    undo.defer(() => {
      vi.unstubAllEnvs();
    });
    store = await open({ hosts: { 'registry.example': plainHttp, [registry.host]: plainHttp } });
    expect((await pull('registry.example/app:1')).id).toBe(imageId(image));
    expect(new Set(proxy.asked)).toEqual(new Set(['GET registry.example']));
    await pull(`${registry.host}/app:1`);
    expect(proxy.asked).not.toContain(`GET ${registry.host}`);
  });
});
