import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { RunningEngine } from '../engine.ts';
import type { ContainerConfig } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';
import { fakeImage } from '../testing/fake-images.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

let world: World;
let engine: RunningEngine;
let pod: Pod;
let output: string;

beforeEach(async () => {
  world = new World();
  world.agent.features = JSON.stringify({ annotations: { 'some.runtime.checkpoint.enabled': 'true' } });
  engine = world.engine();
  await engine.recover();
  pod = await engine.pods.run(podConfig('web', { logDirectory: join(world.root, 'logs') }), signal());
  output = join(world.root, 'output');
  mkdirSync(output);
});

afterEach(async () => {
  await world.close();
});

async function running(name: string, change: Partial<ContainerConfig> = {}): Promise<string> {
  const { id } = await engine.containers.create(pod.id, containerConfig('app', { name, ...change }), signal());
  await engine.containers.start(id, signal());
  return id;
}

const checkpoint = (containerId: string, under = signal(), timeoutMs?: number): Promise<void> =>
  engine.containers.checkpoint({ containerId, location: join(output, 'a.tar'), timeoutMs }, under);
const checkpointPod = (under = signal(), directory = join(output, 'pod')): Promise<void> => engine.pods.checkpoint({ podId: pod.id, directory, containerIds: [] }, under);
const restorePod = (names: readonly string[], change: Partial<ContainerConfig> = {}) =>
  engine.pods.restore(
    { directory: join(output, 'pod'), config: podConfig('again', { logDirectory: join(world.root, 'again') }), containers: names.map((name) => containerConfig('app', { name, ...change })) },
    signal(),
  );
const stateFile = (archive: string): string => readFileSync(join(output, archive, 'checkpoint/state'), 'utf8');
const statusOf = (id: string): string => world.shims.get(id).status;

test('a container is written down while it is paused, and runs on', async () => {
  const id = await running('app');
  await checkpoint(id);
  expect(readdirSync(output)).toEqual(['a.tar']);
  expect(stateFile('a.tar')).toBe('paused');
  expect(readdirSync(join(output, 'a.tar')).toSorted()).toEqual(['checkpoint', 'config.dump', 'rootfs-diff.tar', 'spec.dump']);
  const config = JSON.parse(readFileSync(join(output, 'a.tar/config.dump'), 'utf8')) as object;
  expect(config).toMatchObject({ id, name: 'app', rootfsImageName: 'registry.test/app:1', runtime: 'crun' });
  const spec = JSON.parse(readFileSync(join(output, 'a.tar/spec.dump'), 'utf8')) as object;
  expect(spec).toMatchObject({ process: { args: ['sh'] }, annotations: { 'io.kubernetes.cri.container-name': 'app', 'io.kubernetes.cri.sandbox-name': 'web' } });
  expect(statusOf(id)).toBe('running');
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test.each<[string, (id: string) => void]>([
  ['the dump', (id) => Object.assign(world.shims.get(id), { dumpError: new BerthError('precondition', 'CRIU says no') })],
  ['pausing', (id) => Object.assign(world.shims.get(id), { pauseError: new BerthError('internal', 'no freezer') })],
  ['the archive', () => void vi.spyOn(world.agent, 'archive').mockRejectedValue(new BerthError('exhausted', 'disk full'))],
])('when %s fails, the container runs on and nothing is written, for it or for its pod', async (_, spoil) => {
  const other = await running('other');
  const id = await running('app');
  spoil(id);
  await expect(checkpoint(id)).rejects.toThrow(BerthError);
  await expect(checkpointPod()).rejects.toThrow(BerthError);
  await expect(checkpointPod(signal(), output)).rejects.toThrow(BerthError);
  expect(readdirSync(output)).toEqual([]);
  expect([id, other].map(statusOf)).toEqual(['running', 'running']);
  await engine.pods.remove(pod.id, signal());
  expect(world.leftovers()).toEqual([]);
});

test('a caller that leaves is let go at once; the dump ends by itself and leaves nothing', async () => {
  const id = await running('app');
  const gate = Promise.withResolvers<void>();
  world.shims.get(id).dumpGate = gate.promise;
  await expect(checkpoint(id, signal(), 20)).rejects.toMatchObject({ kind: 'timeout', message: expect.stringContaining('0.02 s') });
  expect(statusOf(id)).toBe('paused');
  gate.resolve();
  await vi.waitFor(() => {
    expect(statusOf(id)).toBe('running');
  });
  await checkpoint(id);
  expect(readdirSync(output)).toEqual(['a.tar']);
});

test('all containers of a pod stand still until the last is written down', async () => {
  const ids = [await running('one'), await running('two')];
  const seen: string[][] = [];
  vi.spyOn(world.agent, 'archive').mockImplementation(async ({ target, overlayUpper }) => {
    if (overlayUpper) seen.push(ids.map(statusOf));
    writeFileSync(target, '');
  });
  await checkpointPod();
  expect(seen).toEqual([['paused', 'paused'], ['paused', 'paused']]);
  expect(readdirSync(join(output, 'pod')).toSorted()).toEqual(['one.tar', 'pod.dump', 'pod.options', 'two.tar']);
  expect(ids.map(statusOf)).toEqual(['running', 'running']);
});

test('a limit that an NRI plugin lifted does not stand in the way', async () => {
  world.nri.active = true;
  world.nri.adjust = ({ spec }) => ({ spec: { ...spec, process: { ...spec.process, rlimits: [{ type: 'RLIMIT_CORE', hard: 2n ** 64n - 1n, soft: 0 }] } }, cdiDevices: [] });
  await checkpoint(await running('app'));
  expect(readdirSync(output)).toEqual(['a.tar']);
});

test('a container that ends during its checkpoint is not resumed', async () => {
  const id = await running('app');
  const shim = world.shims.get(id);
  vi.spyOn(shim, 'dump').mockImplementation(async () => {
    shim.finish(137);
  });
  await checkpoint(id);
  await engine.close();
  expect(world.warnings).toEqual([]);
});

test('a handler that cannot is refused, and one that can is named', async () => {
  world.agent.features = '{}';
  await engine.recover();
  const id = await running('app');
  await expect(checkpoint(id)).rejects.toMatchObject({ kind: 'unimplemented' });
  vi.spyOn(world.agent, 'exec').mockImplementation(async ({ argv }) => ({
    stdout: new TextEncoder().encode(argv[0].endsWith('crun') && argv[1] === '--version' ? '+SECCOMP +CRIU' : ''), stderr: new Uint8Array(0), exitCode: argv[1] === 'features' ? 1 : 0,
  }));
  await engine.recover();
  await checkpoint(id);
  await engine.pods.checkpoint({ podId: pod.id, directory: join(output, 'pod'), containerIds: [id] }, signal());
  const other = await engine.pods.run(podConfig('other', { runtimeHandler: 'runc' }), signal());
  const { id: refused } = await engine.containers.create(other.id, containerConfig('app'), signal());
  await engine.containers.start(refused, signal());
  const asked = engine.containers.checkpoint({ containerId: refused, location: join(output, 'b.tar'), timeoutMs: undefined }, signal());
  await expect(asked).rejects.toMatchObject({ kind: 'unimplemented', hint: 'run the pod with "crun"' });
});

test('names that are no files cannot be part of a pod checkpoint', async () => {
  await running('../up');
  await expect(checkpointPod()).rejects.toMatchObject({ kind: 'invalid' });
  expect(readdirSync(output)).toEqual([]);
});

test('a restored container starts from the checkpoint once, with its files; then the images go', async () => {
  await running('one', { logPath: 'one.log' });
  await checkpointPod();
  const { pod: again, containers } = await restorePod(['one'], { logPath: 'one.log' });
  expect(again).toMatchObject({ state: 'ready', config: { identity: { name: 'again' } } });
  const [container] = containers;
  if (container === undefined) throw new Error('no container');
  const images = join(world.config.stateRoot, 'containers', container.id, 'restore/checkpoint');
  expect(container).toMatchObject({ state: 'created' });
  expect(world.agent.extracted).toContain(`/snapshots/${container.id}`);
  await engine.containers.start(container.id, signal());
  expect(world.shims.get(container.id).spec.checkpoint).toBe(images);
  expect(engine.containers.get(container.id).restoreFrom).toBeUndefined();
  await vi.waitFor(() => {
    expect(existsSync(images)).toBe(false);
  });
});

test('what is to be restored survives a restart of berthd', async () => {
  await running('one');
  await checkpointPod();
  const { containers } = await restorePod(['one']);
  const id = containers[0]?.id ?? '';
  await engine.close();
  const next = world.engine();
  await next.recover();
  await next.containers.start(id, signal());
  expect(world.shims.get(id).spec.checkpoint).toContain(`${id}/restore/checkpoint`);
});

/** Extracting a root file system waits for it, when the files are there in part. */
function extractionGate(): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  const extract = world.agent.extract.bind(world.agent);
  vi.spyOn(world.agent, 'extract').mockImplementation(async (request) => {
    await extract(request);
    if (request.archive.endsWith('rootfs-diff.tar')) await gate.promise;
  });
  return gate;
}

const created = (of: RunningEngine): readonly string[] => of.containers.list({ id: '', podId: '', state: 'created', labels: {} }).map(({ id }) => id);

test('no container starts before its whole pod is restored', async () => {
  await Promise.all([running('one'), running('two')]);
  await checkpointPod();
  const gate = extractionGate();
  const restoring = restorePod(['one', 'two']);
  await vi.waitFor(() => { expect(created(engine)).toHaveLength(1); });
  const [id = ''] = created(engine);
  await expect(engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining(id), hint: expect.stringContaining('restore it again') });
  gate.resolve();
  const { containers } = await restoring;
  for (const each of containers) await engine.containers.start(each.id, signal());
  expect(world.shims.get(id).spec.checkpoint).toContain(`${id}/restore/checkpoint`);
});

test('a restore that a crash cut off is undone at the next start, and can be made again', async () => {
  await running('one');
  await checkpointPod();
  const before = world.leftovers();
  extractionGate();
  void restorePod(['one']).catch(() => undefined);
  await vi.waitFor(() => { expect(created(engine)).toHaveLength(1); });
  engine = world.engine();
  await engine.recover();
  expect(created(engine)).toEqual([]);
  expect(world.leftovers()).toEqual(before);
  vi.restoreAllMocks();
  const { containers } = await restorePod(['one']);
  await engine.containers.start(containers[0]?.id ?? '', signal());
});

test('a half-restored pod that cannot be removed yet starts nothing', async () => {
  await running('one');
  await checkpointPod();
  extractionGate();
  void restorePod(['one']).catch(() => undefined);
  await vi.waitFor(() => { expect(created(engine)).toHaveLength(1); });
  vi.spyOn(world.snapshotter, 'remove').mockRejectedValueOnce(new BerthError('unavailable', 'busy'));
  engine = world.engine();
  await engine.recover();
  const half = engine.pods.list({ id: '', state: undefined, labels: {} }).find(({ config }) => config.identity.name === 'again');
  expect(half).toMatchObject({ state: 'notready', restoring: true });
  await vi.waitFor(() => { expect(engine.pods.list({ id: half?.id ?? '-', state: undefined, labels: {} })).toEqual([]); }, 3000);
});

test('a container that a lost checkpoint left paused runs on after a restart of berthd', async () => {
  const id = await running('one');
  world.shims.get(id).pause();
  await engine.close();
  await world.engine().recover();
  expect(statusOf(id)).toBe('running');
});

test.each<[string, readonly string[]]>([
  ['too few', ['one']],
  ['too many', ['one', 'two', 'three']],
  ['a wrong one', ['one', 'three']],
  ['one twice', ['one', 'one']],
])('names must match exactly: %s', async (_, names) => {
  await Promise.all([running('one'), running('two')]);
  await checkpointPod();
  const before = world.leftovers();
  await expect(restorePod(names)).rejects.toMatchObject({ kind: 'invalid' });
  expect(world.leftovers()).toEqual(before);
});

test.each<[string, (archive: string) => void]>([
  ['an archive without images', (archive) => void writeFileSync(join(archive, 'config.dump'), JSON.stringify({ rootfsImage: 'x' }))],
  ['an archive without a description', () => undefined],
])('%s is refused, and the whole pod goes', async (_, fill) => {
  const archive = join(output, 'pod/one.tar');
  mkdirSync(archive, { recursive: true });
  writeFileSync(join(output, 'pod/pod.options'), JSON.stringify({ containers: ['one'] }));
  fill(archive);
  const before = world.leftovers();
  await expect(restorePod(['one'])).rejects.toMatchObject({ kind: 'invalid' });
  expect(world.leftovers()).toEqual(before);
});

test('a checkpoint is one of an absolute path, and has no container whose name leads out of it', async () => {
  mkdirSync(join(output, 'pod'));
  writeFileSync(join(output, 'pod/pod.options'), JSON.stringify({ containers: ['../one'] }));
  cpSync(join(output, 'pod'), join(output, 'one.tar'), { recursive: true });
  await expect(restorePod(['../one'])).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('"../one"') });
  const config = podConfig('again');
  await expect(engine.pods.restore({ directory: 'pod', config, containers: [] }, signal())).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('absolute') });
});

test('memory of one image is not put over the files of another', async () => {
  world.images.images.push(fakeImage('db'));
  await running('one');
  await checkpointPod();
  await expect(restorePod(['one'], { image: 'registry.test/db:1' })).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('registry.test/db:1') });
});

test.each(['pod.options', 'one.tar/config.dump'])('of a %s without an end no more is read than one may have', async (name) => {
  await running('one');
  await checkpointPod();
  truncateSync(join(output, 'pod', name), 300_000_000);
  await expect(restorePod(['one'])).rejects.toMatchObject({ kind: 'invalid', message: expect.stringMatching(/is larger than 4194304 bytes/) });
});

test('a restored log is not written through a link that lies in its place', async () => {
  await running('one', { logPath: 'one.log' });
  await checkpointPod();
  writeFileSync(join(output, 'pod/one.tar/container.log'), 'what it said\n');
  mkdirSync(join(world.root, 'again'));
  symlinkSync(join(world.root, 'elsewhere'), join(world.root, 'again/one.log'));
  await restorePod(['one'], { logPath: 'one.log' });
  expect(existsSync(join(world.root, 'elsewhere'))).toBe(false);
});
