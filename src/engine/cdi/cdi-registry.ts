import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { asBerthError, BerthError } from '../../lib/errors.ts';
import { parseDeviceName } from './device-name.ts';
import { readSpecFile } from './read-spec-file.ts';
import type { CdiSpecFile, ContainerEdits } from './spec-file.ts';

/** The CDI specs of this node as they are now. */
export interface CdiRegistry {
  readonly dirs: readonly string[];
  /** Files of each directory, the directory that wins first. */
  readonly files: readonly (readonly CdiSpecFile[])[];
  /** Why files could not be used. Such a file matters only to who asks for a device that is not found. */
  readonly problems: readonly string[];
}

/** Reads all specs anew. A later directory goes before an earlier one; a directory that is absent has none. */
export function readRegistry(dirs: readonly string[]): CdiRegistry {
  const problems: string[] = [];
  const files = dirs.toReversed().map((dir) =>
    specPaths(dir).flatMap((path) => {
      try {
        return [readSpecFile(path)];
      } catch (error) {
        problems.push(asBerthError(error, path).text);
        return [];
      }
    }),
  );
  return { dirs, files, problems };
}

function specPaths(dir: string): readonly string[] {
  try {
    const names = readdirSync(dir).filter((name) => /\.(json|ya?ml)$/.test(name));
    return names.toSorted().map((name) => join(dir, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The edits of `names` in their order; those of a whole file come once, before its first device. Fails `invalid` and names the device. */
export function editsFor(registry: CdiRegistry, names: readonly string[]): readonly ContainerEdits[] {
  const seen = new Set<CdiSpecFile>();
  return names.flatMap((text) => {
    const { file, edits } = findDevice(registry, text);
    const first = !seen.has(file);
    seen.add(file);
    return first ? [file.edits, edits] : [edits];
  });
}

function findDevice(registry: CdiRegistry, text: string): { readonly file: CdiSpecFile; readonly edits: ContainerEdits } {
  const { kind, name } = parseDeviceName(text);
  for (const files of registry.files) {
    const [first, second] = files.filter((file) => file.kind === kind && file.devices.has(name));
    if (second !== undefined) {
      throw new BerthError('invalid', `CDI device ${text} is defined twice, by ${first?.path} and ${second.path}`, { hint: 'remove one of the two' });
    }
    const edits = first?.devices.get(name);
    if (first !== undefined && edits !== undefined) return { file: first, edits };
  }
  const unusable = registry.problems.length === 0 ? '' : ` (not usable: ${registry.problems.join('; ')})`;
  throw new BerthError('invalid', `CDI device ${text} is not known on this node${unusable}`, { hint: `its vendor's driver writes a spec for it into ${registry.dirs.join(' or ')}` });
}
