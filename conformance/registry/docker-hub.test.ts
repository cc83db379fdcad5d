import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBerth } from '../fixtures/daemon.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { file } from '../fixtures/tar.ts';
import { CertificateAuthority } from '../fixtures/tls.ts';
import { ScriptedRegistry, type Quirk } from './scripted-registry.ts';
import { TunnelProxy } from './tunnel-proxy.ts';

const undo = new AsyncDisposableStack();
const image = buildImage({ label: 'hub', layers: [layer([file('a', 'hub')])] });
const { digest } = image.manifest.descriptor;
const basic = `Basic ${btoa('u:p')}`;
/** As credentials may name Docker Hub; a repository for each, since tokens are kept. */
const servers = ['https://index.docker.io/v1/', 'docker.io', 'https://registry-1.docker.io', ''];
const repositoryFor = (server: string): string => `app${servers.indexOf(server)}`;
let hub: ScriptedRegistry;
let service: ScriptedRegistry;
let proxy: TunnelProxy;
let node: NodeDaemon;

/** As the real one: everything needs a token of another host, which gives anyone one for public images. */
const demanding: Quirk = ({ path, authorization }, response) => {
  const isPrivate = path.includes('/team/');
  if (authorization === (isPrivate ? 'Bearer of-u' : 'Bearer anonymous') || authorization === 'Bearer of-u') return false;
  const repository = /^\/v2\/(.+)\/(?:manifests|blobs)/.exec(path)?.[1] ?? '';
  response.writeHead(401, { 'www-authenticate': `Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:${repository}:pull"` }).end();
  return true;
};
const tokens: Quirk = ({ authorization }, response) => {
  response.end(JSON.stringify({ token: authorization === basic ? 'of-u' : 'anonymous', expires_in: 300 }));
  return true;
};

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-hub-'));
  undo.defer(() => {
    rmSync(directory, { recursive: true });
  });
  const authority = new CertificateAuthority(directory);
  hub = undo.use(await ScriptedRegistry.start(demanding, authority.issue('hub', 'registry-1.docker.io')));
  service = undo.use(await ScriptedRegistry.start(tokens, authority.issue('service', 'auth.docker.io')));
  hub.add('library/nginx', 'latest', image);
  for (const server of servers) hub.add(`team/${repositoryFor(server)}`, '1', image);
  proxy = undo.use(await TunnelProxy.start({ 'registry-1.docker.io:443': hub.host, 'auth.docker.io:443': service.host }));
  node = undo.use(await startBerth({ env: { HTTPS_PROXY: proxy.url }, config: { registries: { 'docker.io': { ca: authority.ca.cert } } } }));
});
afterAll(async () => undo.disposeAsync());
beforeEach(() => {
  for (const list of [hub.seen, service.seen]) list.length = 0;
});

test.each(['nginx', 'docker.io/nginx', 'docker.io/library/nginx:latest', 'index.docker.io/nginx', `nginx@${digest}`])('%s comes from registry-1.docker.io, by that name', async (name) => {
  expect(await node.cri.pullImage(name)).toBe(imageId(image));
  expect(new Set(proxy.asked)).toEqual(new Set(['CONNECT registry-1.docker.io:443', 'CONNECT auth.docker.io:443']));
  expect(new Set(hub.seen.map(({ sni, host }) => `${sni} ${host}`))).toEqual(new Set(['registry-1.docker.io registry-1.docker.io']));
  expect(hub.seen.every(({ path }) => path.startsWith('/v2/library/nginx/') && !path.includes('ns='))).toBe(true);
  for (const { sni, path } of service.seen) expect(`${sni}${path}`).toBe('auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Fnginx%3Apull');
  const named = name.includes('@') ? { repo_tags: [], repo_digests: [`docker.io/library/nginx@${digest}`] } : { repo_tags: ['docker.io/library/nginx:latest'] };
  expect(await node.cri.listImages()).toMatchObject([named]);
  for (const other of name.includes('@') ? [name] : ['nginx', 'docker.io/nginx', 'index.docker.io/library/nginx:latest', `docker.io/nginx@${digest}`]) {
    expect(await node.cri.imageStatus(other), other).toMatchObject({ id: imageId(image) });
  }
  await node.cri.removeImage(name);
  expect(await node.cri.listImages()).toEqual([]);
});

test.each(servers)('credentials for "%s" go to the token service alone', async (serverAddress) => {
  const auth = { username: 'u', password: 'p', server_address: serverAddress };
  const reference = `team/${repositoryFor(serverAddress)}:1`;
  expect(await node.cri.pullImage(reference, auth)).toBe(imageId(image));
  expect(service.authorizations).toEqual([basic]);
  expect(new Set(hub.authorizations)).toEqual(new Set(['Bearer of-u']));
  await node.cri.removeImage(reference);
});

test('credentials for another registry are not shown', async () => {
  await expect(node.cri.pullImage('team/app0:1', { username: 'u', password: 'p', server_address: 'registry.example' })).rejects.toMatchObject({ details: expect.stringContaining('registry-1.docker.io answered 401') as unknown });
  expect(service.authorizations).toEqual([]);
});

test('an id is no name to pull', async () => {
  for (const id of [imageId(image), imageId(image).slice(7)]) {
    await expect(node.cri.pullImage(id)).rejects.toMatchObject({ details: expect.stringContaining("an image's id") as unknown });
  }
  expect(hub.seen).toEqual([]);
});
