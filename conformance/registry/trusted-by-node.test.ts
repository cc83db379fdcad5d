import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBerth } from '../fixtures/daemon.ts';
import { buildImage, imageId } from '../fixtures/images.ts';
import { layer } from '../fixtures/layer.ts';
import { Registry } from '../fixtures/registry.ts';
import { file } from '../fixtures/tar.ts';

const undo = new AsyncDisposableStack();
const image = buildImage({ label: 'trusted', layers: [layer([file('a', 'a')])] });
let registry: Registry;
let reference: string;

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-trusted-'));
  undo.defer(() => {
    rmSync(directory, { recursive: true });
  });
  registry = await Registry.start({ directory, tls: true });
  undo.defer(async () => registry.stop());
  reference = await registry.push('app', '1', image);
});
afterAll(async () => undo.disposeAsync());

test('an authority in the node\'s own store needs no setting', async () => {
  // Where OpenSSL looks instead of the node's bundle.
  await using node = await startBerth({ env: { SSL_CERT_FILE: registry.ca ?? '' } });
  expect(await node.cri.pullImage(reference, registry.account)).toBe(imageId(image));
});
