import { constants, mkdirSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import type { SnapshotKey } from '../../lib/ids.ts';
import { stringField } from '../../lib/json-fields.ts';
import { createContainer } from '../containers/create-container.ts';
import { openLogPlace } from '../containers/log-place.ts';
import type { Container, ContainerConfig } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { archiveName, containerFiles, isDirectory, isFile, readJson } from '../spec/checkpoint-files.ts';

interface Source {
  /** The pod's checkpoint. */
  readonly directory: string;
  readonly config: ContainerConfig;
}

/** Creates a container with the files of a checkpoint, which its start goes on from. The caller undoes a failure with the pod. */
export async function restoreContainer(parts: EngineParts, pod: Pod, { directory, config }: Source, signal: AbortSignal): Promise<Container> {
  const container = await createContainer(parts, pod.id, config, signal);
  const archive = join(directory, archiveName(config.name));
  const { kind } = await parts.hostPaths.look({ path: archive }, signal);
  // Reading a FIFO or a terminal would never end.
  if (kind === 'other' || kind === 'device') throw new BerthError('invalid', `the checkpoint ${archive} is no regular file`);
  const restoreFrom = parts.paths.restore(container.id);
  mkdirSync(restoreFrom, { recursive: true, mode: 0o700 });
  await parts.agent.extract({ archive, dir: restoreFrom, parents: [] }, signal);
  checkArchive(restoreFrom, archive, container);
  const { dir, parents } = parts.snapshotter.layerDirs(container.id as string as SnapshotKey);
  await parts.agent.extract({ archive: join(restoreFrom, containerFiles.rootfs), dir, parents }, signal);
  await restoreLog(parts, restoreFrom, container, signal);
  return parts.containers.update(container.id, { restoreFrom });
}

/** Memory maps files of the image, so it must be the same one. */
function checkArchive(directory: string, archive: string, { config, imageId }: Container): void {
  const what = `the checkpoint ${archive}`;
  const taken = stringField(readJson(directory, containerFiles.config, what), 'rootfsImage', what);
  if (!isDirectory(directory, containerFiles.images) || !isFile(directory, containerFiles.rootfs)) {
    throw new BerthError('invalid', `${what} is incomplete`, { hint: `it must hold ${Object.values(containerFiles).join(', ')}` });
  }
  if (taken === imageId) return;
  throw new BerthError('precondition', `${what} is of a container of the image ${taken}, but "${config.image}" is ${imageId}`, { hint: 'restore it with the image that it ran from' });
}

/** The log goes on where it was, unless there is something already, be it a link. */
async function restoreLog(parts: EngineParts, directory: string, container: Container, signal: AbortSignal): Promise<void> {
  if (container.logPath === '' || !isFile(directory, containerFiles.log)) return;
  try {
    using place = await openLogPlace(parts, parts.pods.required(container.podId), container, signal);
    await copyFile(join(directory, containerFiles.log), place.held, constants.COPYFILE_EXCL);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
