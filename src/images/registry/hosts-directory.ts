import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { certificateFiles, parseHostsFile, type HostsFile } from '../../config/hosts-file.ts';
import { BerthError } from '../../lib/errors.ts';
import { registryNames } from '../../oci/docker-hub.ts';

const hint = 'correct it and pull again: it is read at each pull';

/** `host:5000` may be a directory's name, and `host_5000_` where a colon is not wanted. */
function namesOf(host: string): readonly string[] {
  const [, name, port] = /^(.+):(\d+)$/.exec(host) ?? [];
  return name === undefined || port === undefined ? [host] : [`${name}_${port}_`, host];
}

async function unlessAbsent<Value>(value: Promise<Value>, path: string): Promise<Value | undefined> {
  try {
    return await value;
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new BerthError('precondition', `cannot read the registry settings ${path}: ${(cause as Error).message}`, { cause, hint });
  }
}

/** Directories laid out as containerd's certs.d: one for each registry, with a hosts.toml or certificates. */
export class HostsDirectory {
  readonly #roots: readonly string[];

  constructor(roots: readonly string[]) {
    this.#roots = roots;
  }

  /** What is said about this registry by its name, by the first root that has a directory for it. */
  async find(host: string): Promise<HostsFile | undefined> {
    return this.#first(registryNames(host).flatMap(namesOf));
  }

  /** What is said about every registry that has no directory of its own. */
  async fallback(): Promise<HostsFile | undefined> {
    return this.#first(['_default']);
  }

  async #first(names: readonly string[]): Promise<HostsFile | undefined> {
    for (const directory of this.#roots.flatMap((root) => names.map((name) => join(root, name)))) {
      const entries = await unlessAbsent(readdir(directory), directory);
      if (entries !== undefined) return readDirectory(directory, entries);
    }
    return undefined;
  }
}

async function readDirectory(directory: string, entries: readonly string[]): Promise<HostsFile> {
  const file = join(directory, 'hosts.toml');
  const source = await unlessAbsent(readFile(file, 'utf8'), file);
  if (source === undefined) return certificateFiles(directory, entries);
  try {
    return parseHostsFile(source, file);
  } catch (error) {
    // It is this node that is set up wrongly, not the request.
    if (!(error instanceof BerthError)) throw error;
    throw new BerthError('precondition', error.text, { cause: error, hint });
  }
}
