import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { stringifyExactly } from '../../lib/exact-json.ts';
import { type JsonObject, parseJsonObject } from '../../lib/json-fields.ts';

/** What a container's archive holds, by the names that checkpointctl, CRI-O and Podman know. */
export const containerFiles = {
  /** Directory of CRIU's images. */
  images: 'checkpoint',
  config: 'config.dump',
  spec: 'spec.dump',
  /** The writable layer, as an image layer. */
  rootfs: 'rootfs-diff.tar',
  log: 'container.log',
} as const;

/** What a pod's checkpoint directory holds beside the archives of its containers. */
export const podFiles = { config: 'pod.dump', options: 'pod.options' } as const;

/** The archive of a container in its pod's checkpoint directory. */
export const archiveName = (container: string): string => `${container}.tar`;

/** Whether a container's name can be the name of its archive. */
export const fitsFile = (container: string): boolean => /^[A-Za-z0-9][\w.-]*$/.test(container);

/** Memory holds secrets, and so may what is told of it. */
export function writeJson(directory: string, name: string, value: object): void {
  writeFileSync(join(directory, name), stringifyExactly(value), { mode: 0o600 });
}

/** A hundred times what any container needs. */
const maxJsonBytes = 4 << 20;

/** Fails `invalid` on what is no checkpoint; a link is none either, since it may lead anywhere. */
export function readJson(directory: string, name: string, what: string): JsonObject {
  if (!isFile(directory, name)) throw new BerthError('invalid', `${what} is no checkpoint: it has no file ${name}`);
  return parseJsonObject(readAtMost(join(directory, name), `${name} of ${what}`), `${name} of ${what}`);
}

/** The file may be swapped or grow meanwhile, so it is the reading that is bounded. */
function readAtMost(path: string, what: string): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(Math.min(fstatSync(file).size, maxJsonBytes) + 1);
    const length = readSync(file, bytes);
    if (length > maxJsonBytes) throw new BerthError('invalid', `${what} is larger than ${maxJsonBytes} bytes`);
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

export function isFile(directory: string, name: string): boolean {
  return lstatSync(join(directory, name), { throwIfNoEntry: false })?.isFile() ?? false;
}

export function isDirectory(directory: string, name: string): boolean {
  return lstatSync(join(directory, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}
