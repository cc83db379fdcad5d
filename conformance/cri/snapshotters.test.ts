import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { grpcStatus } from '../fixtures/cri.ts';
import { startBerth } from '../fixtures/daemon.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { file, whiteout } from '../fixtures/tar.ts';
import { CriSuite, waiting } from './suite.ts';

const copies = { runtimes: { copies: { runtime: '/usr/bin/crun', snapshotter: 'native' } } };

let suite: CriSuite;
beforeAll(async () => {
  suite = await CriSuite.start(copies);
  await empty();
});
afterEach(async () => empty());
afterAll(async () => suite.close());

async function empty(): Promise<void> {
  await suite.node.removePods();
  for (const { id } of await suite.cri.listImages()) await suite.cri.removeImage(id);
  await expectKept(0, 0);
}

/** Files of removed snapshots go in the background. */
async function expectKept(overlay: number, native: number): Promise<void> {
  const held = (): readonly number[] => [kept('overlayfs'), kept('native')];
  for (const deadline = Date.now() + 15_000; held().join() !== `${overlay},${native}` && Date.now() < deadline; ) await sleep(50);
  expect(held()).toEqual([overlay, native]);
}

const pullFor = async (image: string, handler: string): Promise<string> => (await suite.cri.call<{ image_ref: string }>('PullImage', { image: { image, runtime_handler: handler } })).image_ref;
const output = async (id: string, ...command: readonly string[]): Promise<string> => (await suite.cri.execSync(id, command)).stdout.toString();
const rootType = async (id: string): Promise<string> => (await output(id, 'sh', '-c', "awk '$2 == \"/\" { print $3 }' /proc/self/mounts | tail -n1")).trim();

/** How many snapshots a snapshotter keeps. */
function kept(snapshotter: 'overlayfs' | 'native'): number {
  return readdirSync(join(suite.node.scratch.dir, 'state/snapshots', snapshotter)).length;
}

/** busybox and two layers, of which the upper one deletes what the lower one has. */
function layered(label: string) {
  const { layers, ...base } = suite.images.busybox(label);
  const more = [layer([file('etc/gone', 'x'), file('etc/kept', 'below'), file('etc/changed', 'below')]), layer([whiteout('etc/gone'), file('etc/changed', 'above')])];
  return buildImage({ label, layers: [...layers, ...more], run: { Cmd: ['sh'], Env: ['PATH=/bin'] }, dialect: base.dialect });
}

test('a handler with copies: the image is one, its containers are whole and apart', async () => {
  const image = layered('copied');
  const reference = await suite.registry.push('copied', '1', image);
  expect(await pullFor(reference, 'copies')).toBe(imageId(image));
  expect(await suite.cri.imageStatus(reference)).toMatchObject({ id: imageId(image) });
  await expectKept(0, 4);
  const pod = await suite.pod({}, 'copies');
  const [one, two] = [await suite.run(pod, waiting, { image: { image: reference } }), await suite.run(pod, waiting, { image: { image: reference } })];
  expect(await rootType(one)).not.toBe('overlay');
  expect(await output(one, 'sh', '-c', 'cat /etc/kept /etc/changed; ls /etc/gone 2>&1 >/dev/null | wc -l; echo one > /own; echo one > /etc/kept')).toBe('belowabove1\n');
  expect(await output(two, 'sh', '-c', 'cat /etc/kept; ls /own 2>&1 >/dev/null | wc -l')).toBe('below1\n');
  await suite.node.kill();
  await suite.node.startAgain();
  expect(await output(one, 'cat', '/own')).toBe('one\n');
});

test('an image that was pulled for one handler is there for the other', async () => {
  const reference = await suite.registry.push('both', '1', layered('both'));
  await suite.cri.pullImage(reference);
  await expectKept(4, 0);
  const pods = { overlay: await suite.pod({ metadata: { name: 'a', namespace: 'n', uid: 'a', attempt: 0 } }), copies: await suite.pod({ metadata: { name: 'b', namespace: 'n', uid: 'b', attempt: 0 } }, 'copies') };
  for (const [name, pod] of Object.entries(pods)) {
    const id = await suite.run(pod, waiting, { image: { image: reference } });
    expect((await rootType(id)) === 'overlay').toBe(name === 'overlay');
    expect(await output(id, 'cat', '/etc/changed')).toBe('above');
  }
  await expectKept(5, 5);
  expect(await suite.cri.listImages()).toHaveLength(1);
});

test('a pull for a handler makes the layers there of an image that is here for another', async () => {
  const image = layered('again');
  const reference = await suite.registry.push('again', '1', image);
  await suite.cri.pullImage(reference);
  expect(await pullFor(reference, 'copies')).toBe(imageId(image));
  await expectKept(4, 4);
  await suite.cri.removeImage(reference);
  await expectKept(0, 0);
});

test('an image volume is a copy, too, and read-only', async () => {
  const reference = await suite.pull('volume', layered('volume'));
  const pod = await suite.pod({}, 'copies');
  const id = await suite.run(pod, waiting, { image: { image: reference }, mounts: [{ container_path: '/vol', readonly: true, image: { image: reference } }] });
  expect(await output(id, 'sh', '-c', 'cat /vol/etc/changed; echo x > /vol/x || echo refused')).toBe('aboverefused\n');
});

test('a copy has no layer of its own, so no checkpoint is taken of it', async () => {
  const reference = await suite.pull('checkpoint', layered('checkpoint'));
  const id = await suite.run(await suite.pod({}, 'copies'), waiting, { image: { image: reference } });
  const location = join(suite.node.scratch.dir, 'checkpoint.tar');
  const refused = { code: grpcStatus.UNIMPLEMENTED, details: expect.stringContaining('whole copies') as unknown };
  await expect(suite.cri.call('CheckpointContainer', { container_id: id, location })).rejects.toMatchObject(refused);
  expect(existsSync(location)).toBe(false);
});

test('user namespaces are for layers alone, and refused elsewhere', async () => {
  const { runtime_handlers: handlers } = await suite.cri.status();
  expect(handlers.find(({ name }) => name === 'copies')?.features).toMatchObject({ user_namespaces: false });
  const ids = [{ host_id: 100_000, container_id: 0, length: 65_536 }];
  const options = { network: 'POD', pid: 'CONTAINER', ipc: 'POD', userns_options: { mode: 'POD', uids: ids, gids: ids } };
  const config = podConfig(suite.node.scratch, 'userns', { linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: { namespace_options: options } } });
  await expect(suite.cri.runPod(config, 'copies')).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION });
});

test('where layers are not kept, an image of another handler has to be pulled for this one', async () => {
  await using node = await startBerth({ insecureRegistries: [suite.registry.host], config: { ...copies, images: { discard_unpacked_layers: true } } });
  const reference = await suite.registry.push('dropped', '1', layered('dropped'));
  await node.cri.pullImage(reference);
  const config = podConfig(node.scratch);
  const pod = await node.cri.runPod(config, 'copies');
  const create = () => node.cri.createContainer(pod, containerConfig(reference, waiting), config);
  await expect(create()).rejects.toMatchObject({ code: grpcStatus.FAILED_PRECONDITION, details: expect.stringMatching(/not unpacked for the native snapshotter.*pull it again/) as unknown });
  await node.cri.call('PullImage', { image: { image: reference, runtime_handler: 'copies' } });
  await node.cri.startContainer(await create());
});
