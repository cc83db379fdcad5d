import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { PodId, SnapshotKey } from '../../lib/ids.ts';
import type { Image } from '../../images/port.ts';
import type { FilesystemMount } from '../../agent/port.ts';
import { contextOption } from '../../oci/runtime-spec/selinux.ts';
import type { ContainerMount } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import { snapshotterFor } from './snapshotter-for.ts';
import type { EngineParts } from '../parts.ts';
import { idShift } from './rootfs-mounts.ts';
import { resolveInRoot } from './resolve-in-root.ts';

const failed = (text: string, cause?: unknown): BerthError => new BerthError('invalid', text, { cause, reason: 'image-volume' });

export const volumePrefix = 'volume-';

/** A file beside the mount point that says that the mount was made; it goes with the run directory, as mounts do. */
const markerEnd = '.mounted';

/** A writable snapshot that nobody writes to: its existence keeps the image's layers. */
function snapshotKey(podId: PodId, name: string): SnapshotKey {
  return `${volumePrefix}${podId}-${name}` as SnapshotKey;
}

/** Mounts an image, read-only and once for all containers of a pod; returns the directory that the mount asks for. */
export async function mountImageVolume(parts: EngineParts, podId: PodId, mount: ContainerMount, signal: AbortSignal): Promise<string> {
  const at = `the image volume at ${mount.containerPath}`;
  if (mount.hostPath !== '') throw failed(`${at} names a host path as well`);
  if (!mount.readonly) throw failed(`${at} must be read-only`);
  const image = parts.images.find(mount.image);
  if (image === undefined) throw new BerthError('not-found', `image "${mount.image}" of ${at} is not on this node`, { hint: 'pull it first', reason: 'image-volume' });
  if (mount.imageSubPath.startsWith('/') || mount.imageSubPath.split('/').includes('..')) throw failed(`${at} has the sub path "${mount.imageSubPath}", which must lead down from the root of the image`);
  const root = await parts.podLocks.run(podId, () => mounted(parts, podId, image, signal), signal);
  try {
    return await resolveInRoot(root, mount.imageSubPath);
  } catch (cause) {
    throw failed(`"${mount.imageSubPath}" is no directory of image "${mount.image}"`, cause);
  }
}

async function mounted(parts: EngineParts, podId: PodId, image: Image, signal: AbortSignal): Promise<string> {
  const pod = parts.pods.peek(podId);
  // Whoever stopped the pod has looked for its volumes already.
  if (pod?.state !== 'ready') throw new BerthError('precondition', `pod ${podId} is ${pod?.state ?? 'gone'} and takes no image volume`);
  const name = image.id.replace(/^sha256:/, '');
  const target = join(parts.paths.imageVolumes(podId), name);
  const marker = `${target}${markerEnd}`;
  if (existsSync(marker)) return target;
  mkdirSync(target, { recursive: true, mode: 0o711 });
  const key = snapshotKey(podId, name);
  // One that is there without a mount was left by a crash.
  await parts.snapshotter.remove(key);
  const snapshotter = await snapshotterFor(parts, pod, image, signal);
  const mounts = await snapshotter.prepare(key, image.topSnapshot, signal, { idShift: idShift(pod) });
  for (const mount of mounts) await parts.agent.mount(readonly(mount, podOptions(parts, pod)), target, signal);
  writeFileSync(marker, '');
  return target;
}

/** What makes the files of the image those of the pod's users, and lets them read them. */
function podOptions({ paths, selinux }: EngineParts, pod: Pod): readonly string[] {
  const labels = selinux.labels(pod);
  const mapped = pod.config.security.namespaces.user?.mode === 'pod' ? [`usermap=${paths.pin(pod.id, 'user')}`] : [];
  return labels === undefined ? mapped : [...mapped, contextOption(labels)];
}

function readonly({ options, ...mount }: FilesystemMount, more: readonly string[]): FilesystemMount {
  return { ...mount, options: [...options.filter((option) => option !== 'rw' && option !== 'ro'), 'ro', ...more] };
}

/** Unmounts all image volumes of a pod and lets go of their images. Idempotent. */
export async function releaseImageVolumes(parts: EngineParts, podId: PodId, signal: AbortSignal): Promise<void> {
  const directory = parts.paths.imageVolumes(podId);
  const names = namesIn(directory);
  if (names.length === 0) return;
  await parts.agent.unmount(directory, signal);
  for (const name of names) {
    await parts.snapshotter.remove(snapshotKey(podId, name));
    rmSync(join(directory, `${name}${markerEnd}`), { force: true });
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => !name.endsWith(markerEnd));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
