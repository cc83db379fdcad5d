import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerConfig } from '../fixtures/cri-types.ts';
import { startBerth } from '../fixtures/daemon.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { Registry } from '../fixtures/registry.ts';
import type { SuitePod } from './suite.ts';
import { pushUpstreamImages, upstreamMirrors } from './upstream-images.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-upstream-'));
let registry: Registry;
let node: NodeDaemon;
let pod: SuitePod;

beforeAll(async () => {
  registry = await Registry.start({ directory });
  await pushUpstreamImages(registry);
  node = await startBerth({ config: upstreamMirrors(registry.host) });
  const config = podConfig(node.scratch, 'upstream');
  pod = { id: await node.cri.runPod(config), config };
}, 60_000);

afterAll(async () => {
  await node.close();
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
});

const e2e = (name: string): string => `registry.k8s.io/e2e-test-images/${name}`;
const tools = (name: string): string => `gcr.io/k8s-staging-cri-tools/${name}`;

let made = 0;

/** Starts a container of the image; without a command it runs the image's own. */
async function run(image: string, command: readonly string[] = [], over: Partial<ContainerConfig> = {}): Promise<string> {
  made += 1;
  if (!image.startsWith('sha256:')) await node.cri.pullImage(image);
  const id = await node.cri.createContainer(pod.id, containerConfig(image, command, { metadata: { name: `c${made}`, attempt: 0 }, ...over }), pod.config);
  await node.cri.startContainer(id);
  return id;
}

async function logOf(id: string, wanted: string): Promise<string> {
  const { log_path: path } = await node.cri.containerStatus(id);
  for (const deadline = Date.now() + 10_000; ; await sleep(20)) {
    const log = readFileSync(path, 'utf8');
    if (log.includes(wanted) || Date.now() > deadline) return log;
  }
}

async function output(id: string, ...command: readonly string[]): Promise<string> {
  return (await node.cri.execSync(id, command)).stdout.toString();
}

async function answers(port: number): Promise<number> {
  const { network } = await node.cri.podStatus(pod.id);
  for (const deadline = Date.now() + 10_000; ; await sleep(50)) {
    try {
      const code = execFileSync('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', `http://${network?.ip}:${port}/`], { encoding: 'utf8' });
      return Number(code);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

test('every image is pulled under its upstream name, and ids are shared by tags and registries alone', async () => {
  const names = [
    ...['busybox:1.29-2', 'nginx:1.14-2', 'httpd:2.4.39-4', 'nonewprivs:1.3'].map(e2e),
    ...['tag:test', 'tag:all', 'latest', 'digest', '1', '2', '3', 'user-uid', 'user-username', 'user-uid-group', 'user-username-group', 'predefined-group'].map((name) => tools(`test-image-${name}`)),
    tools('hostnet-nginx-amd64'),
    'registry.k8s.io/pause:3.9',
  ];
  const ids: string[] = [];
  for (const name of names) ids.push(await node.cri.pullImage(name));
  expect(new Set(ids).size).toBe(names.length);
  const tags = ['1', '2', '3'].map((tag) => tools(`test-image-tags:${tag}`));
  const tagged: string[] = [];
  for (const tag of tags) tagged.push(await node.cri.pullImage(tag));
  expect(new Set(tagged).size).toBe(1);
  expect((await node.cri.imageStatus(tagged[0] ?? ''))?.repo_tags.toSorted()).toEqual(tags);
  expect(await node.cri.pullImage('k8s.gcr.io/pause:3.9')).toBe(ids.at(-1));
  expect((await node.cri.imageStatus('k8s.gcr.io/pause:3.9'))?.repo_tags.toSorted()).toEqual(['k8s.gcr.io/pause:3.9', 'registry.k8s.io/pause:3.9']);
});

test('busybox runs its applets by their paths, and has what Debian leaves out', async () => {
  const linux = { security_context: { masked_paths: ['/bin/ls'], readonly_paths: [] } };
  const masked = await run(e2e('busybox:1.29-2'), ['/bin/sh', '-c', 'ls; sleep 1000'], { linux });
  expect(await logOf(masked, 'denied')).toMatch(/ stderr F \/bin\/sh: ls: Permission denied\n$/);
  expect(await output(masked, 'pgrep', 'sleep')).toMatch(/^\d+\n$/);
  expect((await node.cri.execSync(masked, ['pgrep', 'nonesuch'])).exit_code).toBe(1);
  expect(await output(masked, 'ipcs', '-m')).toBe('');
  expect(await output(masked, 'id', '-nu')).toBe('root\n');
  for (const applet of ['top', 'cat', 'touch', 'hostname', 'grep', 'netstat', 'pidof', 'ping', 'brctl', 'mount', 'mkdir', 'chmod', 'dd', 'seq', 'sync', 'awk']) {
    expect(await output(masked, 'sh', '-c', `command -v ${applet}`), applet).toBe(`/bin/${applet}\n`);
  }
});

test('nginx is nginx', async () => {
  const id = await run(e2e('nginx:1.14-2'));
  expect(await answers(80)).toBe(200);
  expect(await output(id, 'cat', '/var/run/nginx.pid')).toBe('1\n');
  expect(await output(id, 'cat', '/proc/1/comm')).toBe('nginx\n');
  expect(await output(id, 'cat', '/proc/1/cmdline')).toContain('nginx: master process');
  await node.cri.stopContainer(id, 0);
});

test('the nginx for the host network listens on a port of its own', async () => {
  const id = await run(tools('hostnet-nginx-amd64'));
  expect(await answers(12_003)).toBe(200);
  await node.cri.stopContainer(id, 0);
});

test('httpd says so in its log and answers', async () => {
  const id = await run(e2e('httpd:2.4.39-4'));
  expect(await answers(80)).toBe(200);
  expect(await logOf(id, 'httpd')).toContain('httpd');
  expect(await output(id, 'echo', 'httpd')).toBe('httpd\n');
  await node.cri.stopContainer(id, 0);
});

test.each([
  [false, 'Effective uid: 0'],
  [true, 'Effective uid: 1000'],
])('the setuid program, with no_new_privs %s, says "%s"', async (noNewPrivs, said) => {
  const id = await run(e2e('nonewprivs:1.3'), [], { linux: { security_context: { no_new_privs: noNewPrivs, run_as_user: { value: '1000' } } } });
  expect(await logOf(id, 'Effective')).toContain(said);
});

test('a group that only the image knows belongs to its user', async () => {
  const id = await run(tools('test-image-predefined-group'), ['sleep', 'infinity']);
  expect(await output(id, 'id', '-G')).toBe('1000 50000\n');
});

test('pause starts by its id alone, and the tag image runs from another root', async () => {
  const id = await node.cri.pullImage('registry.k8s.io/pause:3.9');
  expect(await node.cri.containerStatus(await run(id))).toMatchObject({ state: 'CONTAINER_RUNNING', image_id: id });
  const tag = tools('test-image-tag:test');
  const ref = await node.cri.pullImage(tag);
  const container = await run(tag, ['sleep', 'infinity'], { mounts: [{ container_path: '/vol', readonly: true, image: { image: ref } }] });
  expect(await output(container, '/vol/bin/ls', '/vol')).toContain('test\n');
});
