import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { containerConfig } from '../fixtures/pods.ts';
import { CriSuite } from './suite.ts';

let suite: CriSuite;
afterEach(async () => suite?.close());

/** Where every snapshot is. */
function snapshots(): readonly string[] {
  const root = join(suite.node.scratch.dir, 'state/snapshots/overlayfs');
  return readdirSync(root).map((name) => join(root, name));
}

/** Takes the files of layers away, as a person does who makes room on a disk. */
function loseLayers(layers = snapshots()): void {
  for (const layer of layers) rmSync(join(layer, 'fs'), { recursive: true });
}

test('a container is made of an image whose layers vanished, as long as their archives are kept', async () => {
  suite = await CriSuite.start();
  loseLayers();
  const pod = await suite.pod();
  expect(await suite.finish(pod, ['true'])).toMatchObject({ exit_code: 0 });
}, 60_000);

test('without them the error says what to do, the image is absent, and the pull that follows mends it', async () => {
  suite = await CriSuite.start({ images: { discard_unpacked_layers: true } });
  // Those of containers vanish by themselves, a while after the container.
  const layers = snapshots();
  const pod = await suite.pod();
  expect(await suite.finish(pod, ['true'])).toMatchObject({ exit_code: 0 });
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
  loseLayers(layers);
  const create = async (): Promise<string> => suite.cri.createContainer(pod.id, containerConfig(suite.busybox, ['true']), pod.config);
  await expect(create()).rejects.toMatchObject({ details: expect.stringContaining('pull the image again') as unknown });
  expect(await suite.cri.imageStatus(suite.busybox)).toBeNull();
  await suite.cri.pullImage(suite.busybox);
  expect(await suite.finish(pod, ['true'])).toMatchObject({ exit_code: 0 });
}, 60_000);

test('a pull of an image that is listed mends it as well', async () => {
  suite = await CriSuite.start({ images: { discard_unpacked_layers: true } });
  loseLayers();
  await suite.cri.pullImage(suite.busybox);
  const pod = await suite.pod();
  expect(await suite.finish(pod, ['true'])).toMatchObject({ exit_code: 0 });
}, 60_000);

describe('a directory of the state root that a person deletes', () => {
  const directories = ['snapshots', 'content', 'content/blobs', 'content/ingest', 'containers'];

  /** The image that was there runs or says what to do, one that is new and the old one pulled again run. */
  async function runs(number: number): Promise<void> {
    const pod = await suite.pod({ metadata: { name: `p${number}`, uid: `p${number}`, namespace: 'default', attempt: 0 } });
    const kept = await suite.finish(pod, ['true']).catch((error: unknown) => error);
    expect(kept).toEqual(expect.toSatisfy((outcome: Partial<{ exit_code: number; details: string }>) => outcome.exit_code === 0 || /pull (the image|it) (again|first)/.test(outcome.details ?? '')));
    const other = await suite.pull(`other-${number}`, suite.images.busybox(`other-${number}`));
    await suite.cri.pullImage(suite.busybox);
    for (const image of [other, suite.busybox]) expect(await suite.finish(pod, ['true'], { image: { image } })).toMatchObject({ exit_code: 0 });
  }

  test.each([false, true])('is made again when it is needed; unpacked layers are discarded: %s', async (discarded) => {
    suite = await CriSuite.start({ images: { discard_unpacked_layers: discarded } });
    for (const [number, directory] of directories.entries()) {
      const path = join(suite.node.scratch.dir, 'state', directory);
      rmSync(path, { recursive: true, force: true });
      await runs(number);
      await suite.node.kill();
      rmSync(path, { recursive: true, force: true });
      await suite.node.startAgain();
      await runs(100 + number);
    }
  }, 300_000);
});
