import type { SnapshotKey } from '../../lib/ids.ts';
import type { FilesystemMount } from '../../agent/port.ts';
import type { IdMapping } from '../../oci/id-mapping.ts';
import { contextOption } from '../../oci/runtime-spec/selinux.ts';
import type { Container } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';

/**
 * The mounts of a container's root file system. In a pod with its own user namespace they carry containerd's options
 * `uidmap` and `gidmap`, by which a shim shows the layers' files as those of the container's users.
 */
export function rootfsMounts({ snapshotter, selinux }: Pick<EngineParts, 'snapshotter' | 'selinux'>, pod: Pod, { id, config }: Pick<Container, 'id' | 'config'>): readonly FilesystemMount[] {
  const labels = selinux.labels(pod, config.security);
  const plain = snapshotter.mounts(id as string as SnapshotKey);
  const mounts = labels === undefined ? plain : plain.map((mount) => (mount.type === 'overlay' ? withOptions(mount, [contextOption(labels)]) : mount));
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
