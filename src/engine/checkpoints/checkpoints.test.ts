import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BerthError } from '../../lib/errors.ts';
import type { RunningEngine } from '../engine.ts';
import { CheckpointLab, notes } from '../testing/checkpoint-lab.ts';
import { containerConfig, podConfig } from '../testing/configs.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

let lab: CheckpointLab;

beforeEach(async () => {
  lab = await CheckpointLab.open();
});

afterEach(async () => {
  await lab.close();
});

test('a container is written down while it is paused, and runs on', async () => {
  const id = await lab.running('app');
  await lab.checkpoint(id);
  expect(readdirSync(lab.output)).toEqual(['a.tar']);
  expect(lab.stateFile('a.tar')).toBe('paused');
  expect(readdirSync(join(lab.output, 'a.tar')).toSorted()).toEqual(['checkpoint', 'config.dump', 'rootfs-diff.tar', 'spec.dump']);
  const config = JSON.parse(readFileSync(join(lab.output, 'a.tar/config.dump'), 'utf8')) as object;
  expect(config).toMatchObject({ id, name: 'app', rootfsImageName: 'registry.test/app:1', runtime: 'crun' });
  const spec = JSON.parse(readFileSync(join(lab.output, 'a.tar/spec.dump'), 'utf8')) as object;
  expect(spec).toMatchObject({ process: { args: ['sh'] }, annotations: { of: 'app in web' } });
  expect(lab.statusOf(id)).toBe('running');
  await lab.engine.pods.remove(lab.pod.id, signal());
  expect(lab.world.leftovers()).toEqual([]);
});

test.each<[string, (id: string) => void]>([
  ['the dump', (id) => Object.assign(lab.world.shims.get(id), { dumpError: new BerthError('precondition', 'CRIU says no') })],
  ['pausing', (id) => Object.assign(lab.world.shims.get(id), { pauseError: new BerthError('internal', 'no freezer') })],
  ['the archive', () => void vi.spyOn(lab.world.agent, 'archive').mockRejectedValue(new BerthError('exhausted', 'disk full'))],
])('when %s fails, the container runs on and nothing is written, for it or for its pod', async (_, spoil) => {
  const other = await lab.running('other');
  const id = await lab.running('app');
  spoil(id);
  await expect(lab.checkpoint(id)).rejects.toThrow(BerthError);
  await expect(lab.checkpointPod()).rejects.toThrow(BerthError);
  await expect(lab.checkpointPod(signal(), lab.output)).rejects.toThrow(BerthError);
  expect(readdirSync(lab.output)).toEqual([]);
  expect([id, other].map(lab.statusOf)).toEqual(['running', 'running']);
  await lab.engine.pods.remove(lab.pod.id, signal());
  expect(lab.world.leftovers()).toEqual([]);
});

test('a caller that leaves is let go at once; the dump ends by itself and leaves nothing', async () => {
  const id = await lab.running('app');
  const gate = Promise.withResolvers<void>();
  lab.world.shims.get(id).dumpGate = gate.promise;
  await expect(lab.checkpoint(id, signal(), 20)).rejects.toMatchObject({ kind: 'timeout', message: expect.stringContaining('0.02 s') });
  expect(lab.statusOf(id)).toBe('paused');
  gate.resolve();
  await vi.waitFor(() => {
    expect(lab.statusOf(id)).toBe('running');
  });
  await lab.checkpoint(id);
  expect(readdirSync(lab.output)).toEqual(['a.tar']);
});

test('all containers of a pod stand still until the last is written down', async () => {
  const ids = [await lab.running('one'), await lab.running('two')];
  const seen: string[][] = [];
  vi.spyOn(lab.world.agent, 'archive').mockImplementation(async ({ target, overlayUpper }) => {
    if (overlayUpper) seen.push(ids.map(lab.statusOf));
    writeFileSync(target, '');
  });
  await lab.checkpointPod();
  expect(seen).toEqual([['paused', 'paused'], ['paused', 'paused']]);
  expect(readdirSync(join(lab.output, 'pod')).toSorted()).toEqual(['one.tar', 'pod.dump', 'pod.options', 'two.tar']);
  expect(ids.map(lab.statusOf)).toEqual(['running', 'running']);
});

test('a limit that an NRI plugin lifted does not stand in the way', async () => {
  lab.world.nri.active = true;
  lab.world.nri.adjust = ({ spec }) => ({ spec: { ...spec, process: { ...spec.process, rlimits: [{ type: 'RLIMIT_CORE', hard: 2n ** 64n - 1n, soft: 0 }] } }, cdiDevices: [] });
  await lab.checkpoint(await lab.running('app'));
  expect(readdirSync(lab.output)).toEqual(['a.tar']);
});

test('a container that ends during its checkpoint is not resumed', async () => {
  const id = await lab.running('app');
  const shim = lab.world.shims.get(id);
  vi.spyOn(shim, 'dump').mockImplementation(async () => {
    shim.finish(137);
  });
  await lab.checkpoint(id);
  await lab.engine.close();
  expect(lab.world.warnings).toEqual([]);
});

test('a handler that cannot is refused, and one that can is named', async () => {
  lab.world.agent.features = '{}';
  await lab.engine.recover();
  const id = await lab.running('app');
  await expect(lab.checkpoint(id)).rejects.toMatchObject({ kind: 'unimplemented' });
  vi.spyOn(lab.world.agent, 'exec').mockImplementation(async ({ argv }) => ({
    stdout: new TextEncoder().encode(argv[0].endsWith('crun') && argv[1] === '--version' ? '+SECCOMP +CRIU' : ''), stderr: new Uint8Array(0), exitCode: argv[1] === 'features' ? 1 : 0,
  }));
  await lab.engine.recover();
  await lab.checkpoint(id);
  await lab.engine.pods.checkpoint({ podId: lab.pod.id, directory: join(lab.output, 'pod'), notes, containerIds: [id] }, signal());
  const other = await lab.engine.pods.run(podConfig('other', { runtimeHandler: 'runc' }), signal());
  const { id: refused } = await lab.engine.containers.create(other.id, containerConfig('app'), signal());
  await lab.engine.containers.start(refused, signal());
  const asked = lab.engine.containers.checkpoint({ containerId: refused, location: join(lab.output, 'b.tar'), timeoutMs: undefined, notes }, signal());
  await expect(asked).rejects.toMatchObject({ kind: 'unimplemented', hint: 'run the pod with "crun"' });
});

test('names that are no files cannot be part of a pod checkpoint', async () => {
  await lab.running('../up');
  await expect(lab.checkpointPod()).rejects.toMatchObject({ kind: 'invalid' });
  expect(readdirSync(lab.output)).toEqual([]);
});

test('a restored container starts from the checkpoint once, with its files; then the images go', async () => {
  await lab.running('one', { logPath: 'one.log' });
  await lab.checkpointPod();
  const { pod: again, containers } = await lab.restorePod(['one'], { logPath: 'one.log' });
  expect(again).toMatchObject({ state: 'ready', config: { title: 'again' } });
  const [container] = containers;
  if (container === undefined) throw new Error('no container');
  const images = join(lab.world.config.stateRoot, 'containers', container.id, 'restore/checkpoint');
  expect(container).toMatchObject({ state: 'created' });
  expect(lab.world.agent.extracted).toContain(`/snapshots/${container.id}`);
  await lab.engine.containers.start(container.id, signal());
  expect(lab.world.shims.get(container.id).spec.checkpoint).toBe(images);
  expect(lab.engine.containers.get(container.id).restoreFrom).toBeUndefined();
  await vi.waitFor(() => {
    expect(existsSync(images)).toBe(false);
  });
});

test('what is to be restored survives a restart of berthd', async () => {
  await lab.running('one');
  await lab.checkpointPod();
  const { containers } = await lab.restorePod(['one']);
  const id = containers[0]?.id ?? '';
  await lab.engine.close();
  const next = lab.world.engine();
  await next.recover();
  await next.containers.start(id, signal());
  expect(lab.world.shims.get(id).spec.checkpoint).toContain(`${id}/restore/checkpoint`);
});

/** Extracting a root file system waits for it, when the files are there in part. */
function extractionGate(): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  const extract = lab.world.agent.extract.bind(lab.world.agent);
  vi.spyOn(lab.world.agent, 'extract').mockImplementation(async (request) => {
    await extract(request);
    if (request.archive.endsWith('rootfs-diff.tar')) await gate.promise;
  });
  return gate;
}

const created = (of: RunningEngine): readonly string[] => of.containers.list({ state: 'created' }).map(({ id }) => id);

test('no container starts before its whole pod is restored', async () => {
  await Promise.all([lab.running('one'), lab.running('two')]);
  await lab.checkpointPod();
  const gate = extractionGate();
  const restoring = lab.restorePod(['one', 'two']);
  await vi.waitFor(() => { expect(created(lab.engine)).toHaveLength(1); });
  const [id = ''] = created(lab.engine);
  await expect(lab.engine.containers.start(id, signal())).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining(id), hint: expect.stringContaining('restore it again') });
  gate.resolve();
  const { containers } = await restoring;
  for (const each of containers) await lab.engine.containers.start(each.id, signal());
  expect(lab.world.shims.get(id).spec.checkpoint).toContain(`${id}/restore/checkpoint`);
});

test('a restore that a crash cut off is undone at the next start, and can be made again', async () => {
  await lab.running('one');
  await lab.checkpointPod();
  const before = lab.world.leftovers();
  extractionGate();
  void lab.restorePod(['one']).catch(() => undefined);
  await vi.waitFor(() => { expect(created(lab.engine)).toHaveLength(1); });
  lab.engine = lab.world.engine();
  await lab.engine.recover();
  expect(created(lab.engine)).toEqual([]);
  expect(lab.world.leftovers()).toEqual(before);
  vi.restoreAllMocks();
  const { containers } = await lab.restorePod(['one']);
  await lab.engine.containers.start(containers[0]?.id ?? '', signal());
});

test('a half-restored pod that cannot be removed yet starts nothing', async () => {
  await lab.running('one');
  await lab.checkpointPod();
  extractionGate();
  void lab.restorePod(['one']).catch(() => undefined);
  await vi.waitFor(() => { expect(created(lab.engine)).toHaveLength(1); });
  vi.spyOn(lab.world.snapshotter, 'remove').mockRejectedValueOnce(new BerthError('unavailable', 'busy'));
  lab.engine = lab.world.engine();
  await lab.engine.recover();
  const half = lab.engine.pods.list().find(({ config }) => config.title === 'again');
  expect(half).toMatchObject({ state: 'notready', restoring: true });
  await vi.waitFor(() => { expect(lab.engine.pods.list({ id: half?.id ?? '-' })).toEqual([]); }, 3000);
});

test('a container that a lost checkpoint left paused runs on after a restart of berthd', async () => {
  const id = await lab.running('one');
  lab.world.shims.get(id).pause();
  await lab.engine.close();
  await lab.world.engine().recover();
  expect(lab.statusOf(id)).toBe('running');
});
