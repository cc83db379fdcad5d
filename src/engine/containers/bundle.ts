import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OciSpec } from '../../oci/spec/types.ts';

const file = 'config.json';

// In Node, but not yet in its types.
const { rawJSON: rawJson } = JSON as typeof JSON & { readonly rawJSON: (text: string) => unknown };

/** Writes a container's bundle; also replaces the spec of one, whole or not at all. */
export function writeBundle(bundle: string, spec: OciSpec): void {
  // Searchable by everyone: with a user namespace the runtime reaches the rootfs as another user.
  mkdirSync(bundle, { recursive: true, mode: 0o711 });
  const fresh = join(bundle, `.${file}`);
  // An environment may hold secrets.
  writeFileSync(fresh, specJson(spec), { mode: 0o600 });
  renameSync(fresh, join(bundle, file));
}

export async function readSpec(bundle: string): Promise<OciSpec> {
  return parseSpec(await readFile(join(bundle, file), 'utf8'));
}

/** As readSpec(), without letting anything else happen meanwhile; undefined when there is none. */
export function readSpecNow(bundle: string): OciSpec | undefined {
  try {
    return parseSpec(readFileSync(join(bundle, file), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A number beyond 2^53, such as RLIM_INFINITY, is a bigint here and digits in the file. */
function specJson(spec: OciSpec): string {
  return JSON.stringify(spec, (_, value: unknown) => (typeof value === 'bigint' ? rawJson(value.toString()) : value));
}

/** Written by writeBundle() and by nobody else. */
function parseSpec(text: string): OciSpec {
  const exact = (_: string, value: unknown, { source }: { readonly source: string }): unknown =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value;
  return JSON.parse(text, exact as (key: string, value: unknown) => unknown) as OciSpec;
}
