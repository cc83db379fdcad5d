import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { OciSpec } from '../../oci/runtime-spec/types.ts';
import { containerConfig, kubeNamespaces, podConfig, security } from '../testing/configs.ts';
import { fakeImage } from '../testing/fake-images.ts';
import { World } from '../testing/world.ts';

const signal = (): AbortSignal => AbortSignal.timeout(15_000);
const mapping = [{ containerId: 0, hostId: 100_000, length: 65_536 }];
const mapped = { security: security({ namespaces: { ...kubeNamespaces, user: { mode: 'pod', uidMappings: mapping, gidMappings: mapping } } }) };

let world: World;
beforeEach(() => {
  world = new World();
  world.agent.features = JSON.stringify({ linux: { namespaces: ['user'], mountExtensions: { idmap: { enabled: true } } } });
  world.images.images.push(fakeImage('db', { volumes: ['/data'] }));
});
afterEach(async () => world.close());

/** Runs a container of the image `db` in a pod; returns what its shim was given, its snapshot's shift and its spec. */
async function run(pod: Parameters<typeof podConfig>[1]) {
  const engine = world.engine();
  await engine.recover();
  const { id: podId } = await engine.pods.run(podConfig('web', pod), signal());
  const { id } = await engine.containers.create(podId, containerConfig('app', { image: 'registry.test/db:1' }), signal());
  await engine.containers.start(id, signal());
  return {
    options: world.shims.shims.get(id)?.spec.rootfs[0]?.options,
    shift: world.snapshotter.shifts.get(id as string as SnapshotKey),
    volume: (JSON.parse(readFileSync(join(world.config.runRoot, 'containers', id, 'config.json'), 'utf8')) as OciSpec).mounts.find(({ destination }) => destination === '/data'),
  };
}

test("in a pod with a user namespace, layers, writable layer and volumes are the container's own users'", async () => {
  const { options, shift, volume } = await run(mapped);
  expect(options?.slice(-2)).toEqual(['uidmap=0:100000:65536', 'gidmap=0:100000:65536']);
  expect(shift).toBe(100_000);
  expect(volume).toMatchObject({ uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }] });
});

test('in any other pod they are as the image has them', async () => {
  const { options, shift, volume } = await run({});
  expect(options?.join()).not.toContain('map=');
  expect(shift).toBe(0);
  expect(volume).not.toHaveProperty('uidMappings');
});

test('a kernel that cannot map layers gives no pod a user namespace, whatever the runtime can', async () => {
  world.agent.idmappedMounts = false;
  await expect(run(mapped)).rejects.toMatchObject({ kind: 'precondition', message: expect.stringContaining('user namespace') });
});
