import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { BindInput } from '../../oci/runtime-spec/input.ts';
import type { ContainerMount } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import type { Creation } from './compose-spec.ts';
import { mountImageVolume } from './image-volumes.ts';
import { peersOf } from './mount-peers.ts';

/** Where the mounts of host paths lead, by their place in the request; of an image volume: nothing. */
export function hostSources(parts: EngineParts, mounts: readonly ContainerMount[], signal: AbortSignal): Promise<HostSources> {
  return Promise.all(mounts.map((mount) => (mount.image === '' ? hostSource(parts, mount, signal) : undefined)));
}

export type HostSources = readonly (string | undefined)[];

/** The request's mounts with sources that exist: those of `sources`, and image volumes. */
export async function resolveBinds(parts: EngineParts, { pod, config: { mounts } }: Pick<Creation, 'pod' | 'config'>, sources: HostSources, signal: AbortSignal): Promise<readonly BindInput[]> {
  const binds: BindInput[] = [];
  for (const [index, mount] of mounts.entries()) {
    binds.push({
      destination: posix.resolve('/', mount.containerPath),
      source: sources[index] ?? (await mountImageVolume(parts, pod.id, mount, signal)),
      readonly: mount.readonly,
      recursiveReadOnly: mount.recursiveReadOnly,
      propagation: mount.propagation,
      // An image volume is made with the pod's owners: overlayfs itself cannot be mapped, only its layers can.
      uidMappings: mount.image === '' ? mount.uidMappings : [],
      gidMappings: mount.image === '' ? mount.gidMappings : [],
      options: mount.mountOptions ?? [],
    });
  }
  await checkPropagation(binds);
  return binds;
}

/** Follows links, and makes the directory where there is nothing, as every runtime does and workloads expect. */
async function hostSource({ hostPaths }: EngineParts, { hostPath, containerPath }: ContainerMount, signal: AbortSignal): Promise<string> {
  const { path, problem } = await hostPaths.look({ path: hostPath, makeDirectory: true }, signal);
  if (path === '') throw new BerthError('invalid', `host path ${hostPath} cannot be mounted at ${containerPath}: ${problem}`);
  return path;
}

/** Events travel only along mounts that have peers on the host; without them the mount would silently be private. */
async function checkPropagation(binds: readonly BindInput[]): Promise<void> {
  const travelling = binds.filter(({ propagation }) => propagation !== 'private');
  if (travelling.length === 0) return;
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  for (const { source, destination, propagation } of travelling) {
    const { shared, slave } = peersOf(table, source);
    if (shared || (slave && propagation === 'host-to-container')) continue;
    const word = propagation === 'bidirectional' ? 'shared' : 'shared or slave';
    throw new BerthError('precondition', `${source}, mounted at ${destination}, is not on a ${word} mount of the host`, { hint: 'mount --make-rshared it first' });
  }
}
