import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseExactly, stringifyExactly } from '../../lib/exact-json.ts';
import type { OciSpec } from '../../oci/runtime-spec/types.ts';

const file = 'config.json';

/** Writes a container's spec into its bundle's directory; also replaces one, whole or not at all. */
export function writeBundle(bundle: string, spec: OciSpec): void {
  const fresh = join(bundle, `.${file}`);
  // An environment may hold secrets.
  writeFileSync(fresh, stringifyExactly(withoutEmptyQuota(spec)), { mode: 0o600 });
  renameSync(fresh, join(bundle, file));
}

/** A new cgroup has no quota, and crun 1.8 cannot write the -1 by which clients say that none is wanted. */
function withoutEmptyQuota(spec: OciSpec): OciSpec {
  const { quota, ...cpu } = spec.linux.resources.cpu ?? {};
  return quota === undefined || quota >= 0 ? spec : { ...spec, linux: { ...spec.linux, resources: { ...spec.linux.resources, cpu } } };
}

export async function readSpec(bundle: string): Promise<OciSpec> {
  return parseSpec(await readFile(join(bundle, file), 'utf8'));
}

/** As readSpec(); undefined when there is none. */
export async function specIfAny(bundle: string): Promise<OciSpec | undefined> {
  try {
    return await readSpec(bundle);
  } catch (error) {
    return undefinedIfAbsent(error);
  }
}

/** As readSpec(), without letting anything else happen meanwhile; undefined when there is none. */
export function readSpecNow(bundle: string): OciSpec | undefined {
  try {
    return parseSpec(readFileSync(join(bundle, file), 'utf8'));
  } catch (error) {
    return undefinedIfAbsent(error);
  }
}

function undefinedIfAbsent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

/** Written by writeBundle() and by nobody else. */
function parseSpec(text: string): OciSpec {
  return parseExactly(text) as OciSpec;
}
