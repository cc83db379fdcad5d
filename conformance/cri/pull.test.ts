import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import type { AuthConfig } from '../fixtures/cri-types.ts';
import { certsDir, startBerth } from '../fixtures/daemon.ts';
import { FlakyProxy } from '../fixtures/flaky.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { Registry } from '../fixtures/registry.ts';
import { file } from '../fixtures/tar.ts';
import { Recorder } from '../registry/recorder.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-pull-'));
const image = buildImage({ label: 'pull', layers: [layer([file('a', 'pull')])] });

let registry: Registry;
let proxy: FlakyProxy;
let node: NodeDaemon;

beforeAll(async () => {
  registry = await Registry.start({ directory, auth: 'token' });
  await registry.push('public/app', '1', image);
  await registry.push('private/app', '1', image);
  proxy = await FlakyProxy.start(registry.url);
  node = await startBerth();
});
beforeEach(async () => {
  proxy.heal();
  hosts('registry.test', `server = "http://${proxy.host}"`);
  await node.cri.removeImage(imageId(image));
});
afterAll(async () => {
  await node.close();
  await proxy.stop();
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
});

function hosts(name: string, toml: string): string {
  const own = join(certsDir(node.scratch), name);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'hosts.toml'), toml);
  return join(own, 'hosts.toml');
}

const [open, closed] = ['registry.test/public/app:1', 'registry.test/private/app:1'];
const failing = (reference: string, auth: AuthConfig | null = null) =>
  node.cri.pullImage(reference, auth).then(
    () => expect.fail('the pull should have failed'),
    (error: unknown) => error as { readonly code: number; readonly details: string },
  );

test('hosts.toml is read at each pull; one that is broken is named', async () => {
  expect(await node.cri.pullImage(open)).toBe(imageId(image));
  const path = hosts('registry.test', 'server = 5');
  expect(await failing(open)).toMatchObject({ code: grpcStatus.FAILED_PRECONDITION, details: expect.stringContaining(path) as unknown });
  hosts('registry.test', `[host."http://${proxy.host}"]`);
  expect(await node.cri.pullImage(open)).toBe(imageId(image));
  expect(proxy.seen.at(-1)?.path).toContain('ns=registry.test');
});

const errorWords = [
  ['no server', () => hosts('registry.test', 'server = "http://127.0.0.1:1"'), /^RegistryUnavailable: cannot pull registry.test\/public\/app:1: 127.0.0.1:1: .*ECONNREFUSED/],
  ['no such host', () => hosts('registry.test', ''), /^RegistryUnavailable: cannot pull registry.test\/public\/app:1: registry.test: .*(ENOTFOUND|EAI_AGAIN)/],
  ['an error of the server', () => proxy.breakOn({ path: /manifests/, status: 503 }), /^RegistryUnavailable: .* answered 503/],
  ['too many requests', () => proxy.breakOn({ path: /manifests/, status: 429 }), /^RegistryUnavailable: .* answered 429/],
  ['a blob that is not what its digest says', () => proxy.breakOn({ path: /blobs/, corruptAt: 5 }), /^SignatureValidationFailed: .*sha256:/],
] as const;

test.each(errorWords)('%s comes as UNKNOWN, in the words that the kubelet knows', async (_what, prepare, words) => {
  prepare();
  expect(await failing(open)).toMatchObject({ code: grpcStatus.UNKNOWN, details: expect.stringMatching(words) as unknown });
  expect(await node.cri.imageStatus(open)).toBeNull();
}, 60_000);

test('an image that the registry does not have, with what to look at', async () => {
  const error = await failing('registry.test/public/none:1');
  expect(error).toMatchObject({ code: grpcStatus.NOT_FOUND, details: expect.stringMatching(/^cannot pull registry.test\/public\/none:1: .* answered 404, .*check the name/) as unknown });
});

test.each([
  ['none', null],
  ['wrong ones', { username: 'berth', password: 'wrong' }],
  ['those of another server', { username: 'berth', password: 'fixture-pass', server_address: 'https://other.test/v1/' }],
  ['a registry token that is none', { registry_token: 'none' }],
  ['an identity token that is none', { identity_token: 'none' }],
])('credentials, %s: refused, as no failure of the registry', async (_what, auth) => {
  const error = await failing(closed, auth);
  expect(error).toMatchObject({ code: grpcStatus.PERMISSION_DENIED, details: expect.stringMatching(/ answered 40[13].*check the name and the image pull credentials/) as unknown });
  expect(node.log()).not.toContain('fixture-pass');
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

test.each([
  ['user and password', { username: 'berth', password: 'fixture-pass' }],
  ['both in one', { auth: base64('berth:fixture-pass') }],
  ['both in one with NULs after them', { auth: base64('berth:fixture-pass\0\0\0') }],
  ['user and password, which go before auth', { username: 'berth', password: 'fixture-pass', auth: base64('berth:wrong') }],
  ["for the registry's address", { username: 'berth', password: 'fixture-pass', server_address: 'registry.test' }],
  ["for a URL of the registry's", { username: 'berth', password: 'fixture-pass', server_address: 'https://registry.test/v2/' }],
])('credentials as %s', async (_form, auth) => {
  expect(await node.cri.pullImage(closed, auth)).toBe(imageId(image));
  expect(node.log()).not.toContain('fixture-pass');
});

test('credentials of a registry are for no other server: neither for its mirror nor for where a blob is kept', async () => {
  await using stranger = await Recorder.start({ status: 401, headers: { 'www-authenticate': 'Basic realm="steal"' } });
  hosts('registry.test', `server = "http://${proxy.host}"\n[host."http://${stranger.host}"]`);
  const auth = { username: 'berth', password: 'fixture-pass' };
  expect(await node.cri.pullImage(closed, auth)).toBe(imageId(image));
  expect(stranger.seen.length).toBeGreaterThan(0);
  await node.cri.removeImage(imageId(image));
  const [{ descriptor }] = image.layers as unknown as readonly [{ descriptor: { digest: string } }];
  proxy.breakOn({ path: new RegExp(descriptor.digest), status: 307, headers: { location: `http://${stranger.host}/elsewhere` } });
  hosts('registry.test', `server = "http://${proxy.host}"`);
  await failing(closed, auth);
  expect(stranger.seen.some(({ url }) => url === '/elsewhere')).toBe(true);
  expect(stranger.authorizations).toEqual([]);
});

test('a certificate authority of certs.d is trusted for its registry alone', async () => {
  const own = join(directory, 'tls');
  mkdirSync(own);
  await using secured = await Registry.start({ directory: own, tls: true });
  await secured.push('app', '1', image);
  hosts('secured.test', `server = "${secured.url}"`);
  expect(await failing('secured.test/app:1')).toMatchObject({ code: grpcStatus.UNKNOWN, details: expect.stringMatching(/^RegistryUnavailable: .*certificate/) as unknown });
  hosts('secured.test', `server = "${secured.url}"\nca = "${secured.ca}"`);
  expect(await node.cri.pullImage('secured.test/app:1')).toBe(imageId(image));
});

test('a registry token is shown as it is', async () => {
  const realm = new URL(registry.tokens?.url ?? '');
  realm.search = new URLSearchParams({ service: 'berth-registry', scope: 'repository:private/app:pull' }).toString();
  const answer = await fetch(realm, { headers: { authorization: `Basic ${base64('berth:fixture-pass')}` } });
  const { token } = (await answer.json()) as { token: string };
  expect(await node.cri.pullImage(closed, { registry_token: token })).toBe(imageId(image));
});

test('an identity token is exchanged for one that pulls, and is in no log', async () => {
  const identity = registry.tokens?.identityToken ?? '';
  expect(await node.cri.pullImage(closed, { identity_token: identity })).toBe(imageId(image));
  expect(node.log()).not.toContain(identity);
});

test('auth that is no user and password', async () => {
  expect(await failing(closed, { auth: base64('nothing') })).toMatchObject({ code: grpcStatus.INVALID_ARGUMENT });
});
