/** What people's tools make of an image, pulled and imported, and run. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeLayoutDir } from '../fixtures/archive.ts';
import { startBerth } from '../fixtures/daemon.ts';
import type { PodConfig } from '../fixtures/cri-types.ts';
import type { Image, Index } from '../fixtures/images.ts';
import type { Layer } from '../fixtures/layer.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { readLog, textOf } from '../cri/log-file.ts';
import { foreignImage, oddImages, plainImage, refusedImages } from './odd-images.ts';
import { OddRegistry } from './odd-registry.ts';

const berth = join(import.meta.dirname, '../../bin/berth');
const run = promisify(execFile);

let directory: string;
let registry: OddRegistry;
let node: NodeDaemon;
let pod: { readonly id: string; readonly config: PodConfig };
let made = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-odd-'));
  registry = await OddRegistry.start();
  node = await startBerth({ insecureRegistries: [registry.host] });
  await pull(plainImage);
  const config = podConfig(node.scratch);
  pod = { id: await node.cri.runPod(config), config };
});
afterAll(async () => {
  await node?.close();
  await registry?.[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function importLayout(content: Image | Index): Promise<string> {
  made += 1;
  const [layout, reference] = [join(directory, String(made)), `odd.example/image:${made}`];
  mkdirSync(layout);
  writeLayoutDir(layout, { [reference]: content });
  await run(berth, ['--endpoint', node.socket, 'import', layout]);
  return reference;
}

async function pull(content: Image | Index): Promise<string> {
  made += 1;
  const reference = registry.add(`t${made}`, content);
  await node.cri.pullImage(reference);
  return reference;
}

/** What the image's own command prints. */
async function output(image: string): Promise<string> {
  made += 1;
  const id = await node.cri.createContainer(pod.id, containerConfig(image, [], { metadata: { name: `c${made}`, attempt: 0 } }), pod.config);
  await node.cri.startContainer(id);
  await expect.poll(async () => (await node.cri.containerStatus(id)).state, { timeout: 20_000 }).toBe('CONTAINER_EXITED');
  const { log_path: log } = await node.cri.containerStatus(id);
  await node.cri.removeContainer(id);
  return textOf(readLog(log));
}

test.each(oddImages)('$name', async ({ image, prints }) => {
  const pulled = await pull(image);
  expect(await output(pulled)).toBe(prints);
  await node.cri.removeImage(pulled);
  const imported = await importLayout(image);
  expect(await output(imported)).toBe(prints);
  await node.cri.removeImage(imported);
});

test.each(refusedImages)('refused: $name', async ({ image, says }) => {
  await expect(pull(image)).rejects.toMatchObject({ details: expect.stringMatching(says) as unknown });
  await expect(importLayout(image)).rejects.toMatchObject({ stderr: expect.stringMatching(says) as unknown });
  expect(await node.cri.listImages()).toHaveLength(1);
});

test('a foreign layer that the registry does not hold is asked for there and nowhere else', async () => {
  const reference = registry.add('foreign', foreignImage);
  registry.forget(foreignImage.layers[1] as Layer);
  await expect(node.cri.pullImage(reference)).rejects.toMatchObject({ details: expect.stringContaining('foreign layer') as unknown });
});
