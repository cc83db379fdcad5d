import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { containerConfig } from '../fixtures/pods.ts';
import { CriSuite } from './suite.ts';

let suite: CriSuite;
afterEach(async () => suite?.close());

/** Takes the files of every layer away, as a person does who makes room on a disk. */
function loseLayers(): void {
  const root = join(suite.node.scratch.dir, 'state/snapshots/overlayfs');
  for (const name of readdirSync(root)) rmSync(join(root, name, 'fs'), { recursive: true });
}

test('a container is made of an image whose layers vanished, as long as their archives are kept', async () => {
  suite = await CriSuite.start();
  loseLayers();
  const pod = await suite.pod();
  expect(await suite.finish(pod, ['true'])).toMatchObject({ exit_code: 0 });
}, 60_000);

test('without them the error says what to do, the image is absent, and the pull that follows mends it', async () => {
  suite = await CriSuite.start({ images: { discard_unpacked_layers: true } });
  const pod = await suite.pod();
  expect(await suite.finish(pod, ['true'])).toMatchObject({ exit_code: 0 });
  for (const { id } of await suite.cri.listContainers()) await suite.cri.removeContainer(id);
  loseLayers();
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
