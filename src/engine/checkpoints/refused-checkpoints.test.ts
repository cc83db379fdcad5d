import { cpSync, existsSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CheckpointLab } from '../testing/checkpoint-lab.ts';
import { podConfig } from '../testing/configs.ts';
import { fakeImage } from '../testing/fake-images.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

let lab: CheckpointLab;

beforeEach(async () => {
  lab = await CheckpointLab.open();
});

afterEach(async () => {
  await lab.close();
});

test.each<[string, readonly string[]]>([
  ['too few', ['one']],
  ['too many', ['one', 'two', 'three']],
  ['a wrong one', ['one', 'three']],
  ['one twice', ['one', 'one']],
])('names must match exactly: %s', async (_, names) => {
  await Promise.all([lab.running('one'), lab.running('two')]);
  await lab.checkpointPod();
  const before = lab.world.leftovers();
  await expect(lab.restorePod(names)).rejects.toMatchObject({ kind: 'invalid' });
  expect(lab.world.leftovers()).toEqual(before);
});

test.each<[string, (archive: string) => void]>([
  ['an archive without images', (archive) => void writeFileSync(join(archive, 'config.dump'), JSON.stringify({ rootfsImage: 'x' }))],
  ['an archive without a description', () => undefined],
])('%s is refused, and the whole pod goes', async (_, fill) => {
  const archive = join(lab.output, 'pod/one.tar');
  mkdirSync(archive, { recursive: true });
  writeFileSync(join(lab.output, 'pod/pod.options'), JSON.stringify({ containers: ['one'] }));
  fill(archive);
  const before = lab.world.leftovers();
  await expect(lab.restorePod(['one'])).rejects.toMatchObject({ kind: 'invalid' });
  expect(lab.world.leftovers()).toEqual(before);
});

test('a checkpoint is one of an absolute path, and has no container whose name leads out of it', async () => {
  mkdirSync(join(lab.output, 'pod'));
  writeFileSync(join(lab.output, 'pod/pod.options'), JSON.stringify({ containers: ['../one'] }));
  cpSync(join(lab.output, 'pod'), join(lab.output, 'one.tar'), { recursive: true });
  await expect(lab.restorePod(['../one'])).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('"../one"') });
  const config = podConfig('again');
  await expect(lab.engine.pods.restore({ directory: 'pod', config, containers: [] }, signal())).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining('absolute') });
});

test('memory of one image is not put over the files of another', async () => {
  lab.world.images.images.push(fakeImage('db'));
  await lab.running('one');
  await lab.checkpointPod();
  await expect(lab.restorePod(['one'], { image: 'registry.test/db:1' })).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('registry.test/db:1') });
});

test.each(['pod.options', 'one.tar/config.dump'])('of a %s without an end no more is read than one may have', async (name) => {
  await lab.running('one');
  await lab.checkpointPod();
  truncateSync(join(lab.output, 'pod', name), 300_000_000);
  await expect(lab.restorePod(['one'])).rejects.toMatchObject({ kind: 'invalid', message: expect.stringMatching(/is larger than 4194304 bytes/) });
});

test('a restored log is not written through a link that lies in its place', async () => {
  await lab.running('one', { logPath: 'one.log' });
  await lab.checkpointPod();
  writeFileSync(join(lab.output, 'pod/one.tar/container.log'), 'what it said\n');
  mkdirSync(join(lab.world.root, 'again'));
  symlinkSync(join(lab.world.root, 'elsewhere'), join(lab.world.root, 'again/one.log'));
  await lab.restorePod(['one'], { logPath: 'one.log' });
  expect(existsSync(join(lab.world.root, 'elsewhere'))).toBe(false);
});
