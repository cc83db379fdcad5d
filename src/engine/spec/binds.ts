import { mkdir, readFile, realpath } from 'node:fs/promises';
import { posix } from 'node:path';
import { BerthError, messageOf } from '../../lib/errors.ts';
import type { PodId } from '../../lib/ids.ts';
import type { BindInput } from '../../oci/runtime-spec/input.ts';
import type { ContainerMount } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { mountImageVolume } from './image-volumes.ts';
import { peersOf } from './mount-peers.ts';

/** The request's mounts with sources that exist. */
export async function resolveBinds(parts: EngineParts, podId: PodId, mounts: readonly ContainerMount[], signal: AbortSignal): Promise<readonly BindInput[]> {
  const binds: BindInput[] = [];
  for (const mount of mounts) {
    const source = mount.image === '' ? await hostSource(mount) : await mountImageVolume(parts, podId, mount, signal);
    binds.push({
      destination: posix.resolve('/', mount.containerPath),
      source,
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
async function hostSource({ hostPath, containerPath }: ContainerMount): Promise<string> {
  try {
    return await realpath(hostPath);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(hostPath, containerPath, error);
  }
  try {
    await mkdir(hostPath, { recursive: true, mode: 0o755 });
    return await realpath(hostPath);
  } catch (error) {
    throw unusable(hostPath, containerPath, error);
  }
}

function unusable(hostPath: string, containerPath: string, cause: unknown): BerthError {
  const detail = messageOf(cause);
  return new BerthError('invalid', `host path ${hostPath} cannot be mounted at ${containerPath}: ${detail}`, { cause });
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
