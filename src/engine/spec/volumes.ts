import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { posix } from 'node:path';
import type { FilesystemMount } from '../../agent/port.ts';
import type { BindInput } from '../../oci/runtime-spec/input.ts';
import type { EngineParts } from '../parts.ts';
import { makePrivateDirectory } from '../private-directory.ts';
import type { Creation } from './compose-spec.ts';
import { volumePlaces } from './volume-places.ts';

const normal = (path: string): string => posix.resolve('/', path);

/** Where the image's VOLUMEs go in this container. */
async function placesOf({ agent }: EngineParts, { config, image }: Creation, rootfs: readonly FilesystemMount[], signal: AbortSignal): Promise<readonly string[]> {
  const wanted = image.config.volumes.map(normal);
  if (wanted.length === 0) return [];
  const requested = config.mounts.map(({ containerPath }) => normal(containerPath));
  const real = await agent.resolveInSnapshot(rootfs, [...wanted, ...requested], signal);
  return volumePlaces(real.slice(0, wanted.length), real.slice(wanted.length));
}

/** Gives each VOLUME of the image a directory of the container's own that begins with what the image has there. */
export async function copyVolumes(parts: EngineParts, creation: Creation, rootfs: readonly FilesystemMount[], signal: AbortSignal): Promise<readonly BindInput[]> {
  const { id } = creation;
  const { user } = creation.pod.config.security.namespaces;
  // The copy keeps the owners that the image has; the mount shows them as the container's users.
  const mappings = user?.mode === 'pod' ? user : { uidMappings: [], gidMappings: [] };
  const binds: BindInput[] = [];
  for (const [index, path] of (await placesOf(parts, creation, rootfs, signal)).entries()) {
    const target = parts.paths.volume(id, index);
    makePrivateDirectory(parts.paths.container(id), creation.pod);
    // What an earlier run wrote there stays.
    if (!existsSync(target)) await copyVolume(parts, rootfs, { path, target }, signal);
    binds.push({ destination: path, source: target, readonly: false, recursiveReadOnly: false, propagation: 'private', uidMappings: mappings.uidMappings, gidMappings: mappings.gidMappings });
  }
  return binds;
}

/** Whole or not at all: a later run takes what it finds. */
async function copyVolume({ agent }: EngineParts, rootfs: readonly FilesystemMount[], { path, target }: { readonly path: string; readonly target: string }, signal: AbortSignal): Promise<void> {
  const fresh = `${target}.new`;
  if (existsSync(fresh)) await agent.removeTree(fresh, signal);
  mkdirSync(fresh, { recursive: true });
  await agent.copySnapshotTree(rootfs, { path, target: fresh }, signal);
  renameSync(fresh, target);
}
