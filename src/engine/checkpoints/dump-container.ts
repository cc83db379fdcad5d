import { constants, mkdirSync } from 'node:fs';
import { copyFile, open, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotKey } from '../../lib/ids.ts';
import type { Task } from '../../shim/port.ts';
import { readSpec } from '../spec/bundle.ts';
import { prepareLogPlace } from '../containers/log-place.ts';
import { handlerOf } from '../spec/handler-of.ts';
import type { ArchiveNotes } from '../model/checkpoint.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { containerFiles, writeJson } from '../spec/checkpoint-files.ts';

/** A running container that is to be written down. */
export interface DumpTarget {
  readonly container: Container;
  readonly task: Task;
}

/** Where it is written, and what its spec is given. */
export interface Dump {
  readonly directory: string;
  readonly notes: ArchiveNotes;
}

/**
 * Writes all that makes up a checkpoint of a paused container into an empty directory: paused, so that files and memory are of one
 * moment. A dump cannot be called off, since CRIU must take its code out of the processes again; the signal is heeded between
 * the steps.
 */
export async function dumpContainer(parts: EngineParts, { container, task }: DumpTarget, { directory, notes }: Dump, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const images = join(directory, containerFiles.images);
  mkdirSync(images, { recursive: true, mode: 0o700 });
  await task.checkpoint(images);
  signal.throwIfAborted();
  const { dir } = parts.snapshotter.layerDirs(container.id as string as SnapshotKey);
  await parts.agent.archive({ source: dir, target: join(directory, containerFiles.rootfs), overlayUpper: true });
  signal.throwIfAborted();
  writeJson(directory, containerFiles.config, configDump(parts, container));
  writeJson(directory, containerFiles.spec, await specDump(parts, container, notes));
  if (container.logPath !== '') await copyLog(await prepareLogPlace(parts, parts.pods.required(container.podId), container, signal), join(directory, containerFiles.log));
}

/** A log that was put aside is left out, and so is what a container with its log directory mounted put in its place. */
async function copyLog(path: string, target: string): Promise<void> {
  try {
    await using log = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const held = `/proc/self/fd/${log.fd}`;
    if ((await log.stat()).isFile() && (await readlink(held)) === path) await copyFile(held, target);
  } catch (error) {
    if (!['ENOENT', 'ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

const time = (ns: bigint): string => new Date(Number(ns / 1_000_000n)).toISOString();

function configDump(parts: EngineParts, { id, podId, config, imageId, imageRef, createdAtNs }: Container): object {
  return {
    id,
    name: config.name,
    rootfsImage: imageId,
    rootfsImageRef: imageRef,
    rootfsImageName: config.image,
    runtime: handlerOf(parts, parts.pods.required(podId)),
    createdTime: time(createdAtNs),
    checkpointedTime: time(parts.clock.nowNs()),
  };
}

async function specDump(parts: EngineParts, container: Container, notes: ArchiveNotes): Promise<object> {
  const spec = await readSpec(parts.paths.bundle(container.id));
  return { ...spec, annotations: { ...spec.annotations, ...notes(container, parts.pods.required(container.podId)) } };
}
