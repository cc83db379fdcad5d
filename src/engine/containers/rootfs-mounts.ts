import type { ContainerId, SnapshotKey } from '../../lib/ids.ts';
import type { FilesystemMount } from '../../native/port.ts';
import type { IdMapping } from '../../oci/id-mapping.ts';
import type { Snapshotter } from '../../snapshotter/port.ts';
import type { Pod } from '../model/pod.ts';

/**
 * The mounts of a container's root file system. In a pod with its own user namespace they carry containerd's options
 * `uidmap` and `gidmap`, by which a shim shows the layers' files as those of the container's users.
 */
export function rootfsMounts(snapshotter: Snapshotter, pod: Pod, id: ContainerId): readonly FilesystemMount[] {
  const mounts = snapshotter.mounts(id as string as SnapshotKey);
  const { user } = pod.config.security.namespaces;
  if (user?.mode !== 'pod') return mounts;
  const mapped = [`uidmap=${text(user.uidMappings)}`, `gidmap=${text(user.gidMappings)}`];
  // A directory that is bound instead of overlaid has no layer, and its root is the container's already.
  return mounts.map((mount) => (mount.type === 'overlay' ? withOptions(mount, mapped) : mount));
}

const withOptions = (mount: FilesystemMount, options: readonly string[]): FilesystemMount => ({ ...mount, options: [...mount.options, ...options] });

const text = (mappings: readonly IdMapping[]): string => mappings.map(({ containerId, hostId, length }) => `${containerId}:${hostId}:${length}`).join(',');

/** Where the pod's ids begin on the host; 0 without a user namespace of its own. */
export function idShift({ config: { security } }: Pod): number {
  const { user } = security.namespaces;
  return user?.mode === 'pod' ? (user.uidMappings[0]?.hostId ?? 0) : 0;
}
