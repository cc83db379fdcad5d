import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RegistryHostConfig } from '../config.ts';
import { ConfiguredEndpoints } from './configured-endpoints.ts';
import { credentialsFor } from './credentials.ts';
import { HostsDirectory } from './hosts-directory.ts';
import { HostsEndpoints } from './hosts-endpoints.ts';

const plain: RegistryHostConfig = { server: '', mirrors: [], insecure: false, ca: '', clientCert: '', clientKey: '', skipVerify: false, username: '', password: '', identityToken: '' };
const auth = { username: 'u', password: 'p', identityToken: '', registryToken: '', serverAddress: '' };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-hosts-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content);
}

function resolver(configured: Readonly<Record<string, RegistryHostConfig>> = {}): HostsEndpoints {
  return new HostsEndpoints(new HostsDirectory([join(root, 'one'), join(root, 'two')]), new ConfiguredEndpoints(configured));
}

const addresses = async (host: string, configured = {}): Promise<readonly string[]> =>
  (await resolver(configured).endpoints(host)).map(({ origin, path, namespace }) => `${origin}${path}${namespace === undefined ? '' : ` for ${namespace}`}`);

test('hosts come first, then the server, else the registry by its name', async () => {
  write('one/r.example/hosts.toml', '[host."http://m1.example:5000"]\n[host."https://m2.example/proxy/v2"]\n[host."https://m3.example/api"]\noverride_path = true');
  write('one/s.example/hosts.toml', 'server = "https://s.example"\n[host."https://s.example"]');
  expect(await addresses('r.example')).toEqual(['http://m1.example:5000/v2 for r.example', 'https://m2.example/proxy/v2 for r.example', 'https://m3.example/api for r.example', 'https://r.example/v2']);
  expect(await addresses('s.example')).toEqual(['https://s.example/v2', 'https://s.example/v2']);
  expect(await addresses('other.example')).toEqual(['https://other.example/v2']);
});

test("Docker Hub's name is not its server's, wherever it is written", async () => {
  const hub = 'https://registry-1.docker.io/v2';
  expect([await addresses('docker.io'), await addresses('registry-1.docker.io')]).toEqual([[hub], [hub]]);
  expect(await addresses('docker.io', { 'docker.io': { ...plain, mirrors: ['m.example'] } })).toEqual(['https://m.example/v2 for docker.io', hub]);
  expect(await addresses('docker.io', { 'index.docker.io': { ...plain, server: 's.example' } })).toEqual(['https://s.example/v2 for docker.io']);
  write('one/_default/hosts.toml', '[host."https://all.example"]');
  expect(await addresses('docker.io')).toEqual(['https://all.example/v2 for docker.io', hub]);
  write('one/docker.io/hosts.toml', 'server = "https://docker.io"\n[host."https://m.example"]');
  expect([await addresses('docker.io'), await addresses('registry-1.docker.io')]).toEqual([['https://m.example/v2 for docker.io', hub], ['https://m.example/v2 for registry-1.docker.io', hub]]);
});

test.each(['https://index.docker.io/v1/', 'docker.io', 'registry-1.docker.io', 'https://registry-1.docker.io/v2/'])('credentials for %s are for Docker Hub, and for no mirror of it', async (serverAddress) => {
  write('one/docker.io/hosts.toml', '[host."https://m.example"]');
  const seen = (await resolver().endpoints('docker.io')).map((endpoint) => credentialsFor({ ...auth, serverAddress }, endpoint, 'docker.io').kind);
  expect(seen).toEqual(['anonymous', 'password']);
});

test('a port may be written with a colon or with underscores, which go first', async () => {
  write('one/r.example:5000/hosts.toml', 'server = "https://colon.example"');
  expect(await addresses('r.example:5000')).toEqual(['https://colon.example/v2 for r.example:5000']);
  write('one/r.example_5000_/hosts.toml', 'server = "https://line.example"');
  expect(await addresses('r.example:5000')).toEqual(['https://line.example/v2 for r.example:5000']);
  expect(await addresses('r.example')).toEqual(['https://r.example/v2']);
});

test('an own directory goes before the settings, and those before the directory for all', async () => {
  const configured = { 'r.example': { ...plain, mirrors: ['set.example'], insecure: true } };
  write('two/_default/hosts.toml', '[host."https://all.example"]');
  expect(await addresses('x.example', configured)).toEqual(['https://all.example/v2 for x.example', 'https://x.example/v2']);
  expect(await addresses('r.example', configured)).toEqual(['https://set.example/v2 for r.example', 'http://r.example/v2']);
  write('two/r.example/hosts.toml', '[host."https://two.example"]');
  expect(await addresses('r.example', configured)).toEqual(['https://two.example/v2 for r.example', 'http://r.example/v2']);
  write('one/r.example/hosts.toml', '[host."https://one.example"]');
  expect(await addresses('r.example', configured)).toEqual(['https://one.example/v2 for r.example', 'http://r.example/v2']);
});

test('what is set for the registry itself is kept, and the file goes before it', async () => {
  const configured = { 'r.example': { ...plain, ca: '/set.crt' } };
  write('one/r.example/hosts.toml', 'dial_timeout = "1s"\n[header]\nx = "y"');
  expect(await resolver(configured).endpoints('r.example')).toMatchObject([{ connection: { ca: ['/set.crt'], dialTimeoutMs: 1000 }, headers: { x: 'y' } }]);
  write('one/r.example/hosts.toml', 'skip_verify = true\ncapabilities = ["resolve"]');
  expect(await resolver(configured).endpoints('r.example')).toMatchObject([{ connection: { ca: [], skipVerify: true, dialTimeoutMs: 10_000 }, capabilities: { resolve: true, pull: false } }]);
});

test('credentials go to the registry and to the server of its own directory, and nowhere else', async () => {
  const seen = async (host: string): Promise<readonly string[]> => (await resolver().endpoints(host)).map((endpoint) => credentialsFor(auth, endpoint, host).kind);
  write('one/r.example/hosts.toml', 'server = "https://really.example"\n[host."https://m.example"]');
  write('one/_default/hosts.toml', 'server = "https://all.example"');
  expect(await seen('r.example')).toEqual(['anonymous', 'password']);
  expect(await seen('x.example')).toEqual(['anonymous']);
  expect(await seen('all.example')).toEqual(['password']);
});

test('a mirror uses what the settings have for it by name', async () => {
  write('one/r.example/hosts.toml', '[host."https://m.example"]');
  const [mirror, own] = await resolver({ 'm.example': { ...plain, username: 'm', password: 'm' }, 'r.example': { ...plain, username: 'r', password: 'r' } }).endpoints('r.example');
  expect([mirror.credentials, own?.credentials]).toEqual([
    { kind: 'password', username: 'm', password: 'm' },
    { kind: 'password', username: 'r', password: 'r' },
  ]);
});

test('certificates alone, as Docker has them', async () => {
  write('one/r.example/ca.crt', '');
  write('one/r.example/node.cert', '');
  expect(await resolver().endpoints('r.example')).toMatchObject([
    { origin: 'https://r.example', connection: { ca: [join(root, 'one/r.example/ca.crt')], clients: [{ cert: join(root, 'one/r.example/node.cert'), key: join(root, 'one/r.example/node.key') }] } },
  ]);
});

test('another host of the registry is trusted with its authorities, and shown no certificate of ours', async () => {
  write('one/r.example/hosts.toml', 'ca = "/ca.crt"\nclient = "/node.pem"\nskip_verify = true');
  const all = resolver({ 'set.example': { ...plain, ca: '/set.crt' } });
  const [endpoint] = await all.endpoints('r.example');
  expect(all.elsewhere(new URL('https://r.example:8443/token'), endpoint).connection).toBe(endpoint.connection);
  expect(all.elsewhere(new URL('https://other.example/token'), endpoint).connection).toMatchObject({ ca: ['/ca.crt'], clients: [], skipVerify: false });
  expect(all.elsewhere(new URL('https://set.example/token'), endpoint).connection).toMatchObject({ ca: ['/set.crt'] });
});

test('another host is shown what the settings have for it, and never in the clear unless they say so', async () => {
  const set = { ...plain, username: 'o', password: 'o' };
  const all = resolver({ 'r.example': { ...plain, username: 'r', password: 'r', insecure: true }, 'other.example': set, 'plain.example': { ...set, insecure: true } });
  const [endpoint] = await all.endpoints('r.example');
  const shown = (url: string): string => all.elsewhere(new URL(url), endpoint).credentials.kind;
  expect(['https://other.example/v2/', 'http://plain.example/v2/'].map(shown)).toEqual(['password', 'password']);
  expect(['http://other.example/v2/', 'https://plain.example/', 'https://none.example/', 'http://r.example:5000/'].map(shown)).toEqual(['anonymous', 'anonymous', 'anonymous', 'anonymous']);
});

test('another host of the registry is reached by the same way', async () => {
  write('one/r.example/hosts.toml', 'proxy = "http://proxy.example:3128"\ndial_timeout = "1s"');
  const all = resolver({ 'set.example': { ...plain, clientCert: '/set.pem' } });
  const [endpoint] = await all.endpoints('r.example');
  const way = { proxy: 'http://proxy.example:3128/', dialTimeoutMs: 1000 };
  expect(all.elsewhere(new URL('https://other.example/token'), endpoint).connection).toMatchObject({ ...way, clients: [] });
  expect(all.elsewhere(new URL('https://set.example/token'), endpoint).connection).toMatchObject({ ...way, clients: [{ cert: '/set.pem' }] });
});

test('a file that cannot be used is named, and so is what to do', async () => {
  write('one/r.example/hosts.toml', 'serve = "x"');
  const file = join(root, 'one/r.example/hosts.toml');
  await expect(resolver().endpoints('r.example')).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining(file) as unknown, hint: expect.stringContaining('read at each pull') as unknown });
  rmSync(file);
  mkdirSync(file);
  await expect(resolver().endpoints('r.example')).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining(file) as unknown });
});
