import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OciSpec } from '../../oci/spec/types.ts';

const file = 'config.json';

/** Writes a container's bundle; also replaces the spec of one, whole or not at all. */
export function writeBundle(bundle: string, spec: OciSpec): void {
  // Searchable by everyone: with a user namespace the runtime reaches the rootfs as another user.
  mkdirSync(bundle, { recursive: true, mode: 0o711 });
  const fresh = join(bundle, `.${file}`);
  // An environment may hold secrets.
  writeFileSync(fresh, JSON.stringify(spec), { mode: 0o600 });
  renameSync(fresh, join(bundle, file));
}

export async function readSpec(bundle: string): Promise<OciSpec> {
  // Written by writeBundle() and by nobody else.
  return JSON.parse(await readFile(join(bundle, file), 'utf8')) as OciSpec;
}
