import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '../fixtures/registry.ts';
import { toToml } from '../fixtures/toml.ts';
import { pushUpstreamImages, upstreamMirrors } from './upstream-images.ts';

// For running a conformance client by hand: serves the images that it asks for until it is interrupted.
//   node conformance/cri/serve-images.ts
// The first line is the address of the registry; the rest is what berthd's settings need.

const directory = mkdtempSync(join(tmpdir(), 'berth-upstream-'));
const registry = await Registry.start({ directory });
const ended = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
});
try {
  await pushUpstreamImages(registry);
  console.log(registry.host);
  console.log(toToml(upstreamMirrors(registry.host)));
  // Signal handlers alone do not keep a process up.
  const awake = setInterval(() => undefined, 60_000);
  await ended;
  clearInterval(awake);
} finally {
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
}
