import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ShimTarget } from './shim-parts.ts';
import { shimNamespace } from './start-shim.ts';

/**
 * Puts back what of a lost bundle berth-shim's `delete` cannot do without: the directory, and which OCI runtime has the
 * container. What is there stays: the handler may have another runtime by now.
 */
export function restoreBundle({ handle: { bundle }, handler }: ShimTarget): void {
  const path = join(bundle, 'runtime.json');
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  if (handler.runtime === '' || existsSync(path)) return;
  const { runtime: binary, runtimeRoot, systemdCgroup } = handler;
  // Below it containerd's shims keep the containers of each namespace apart.
  const root = handler.protocol === 'berth' || runtimeRoot === '' ? runtimeRoot : join(runtimeRoot, shimNamespace);
  writeFileSync(path, JSON.stringify({ binary, root, systemdCgroup }), { mode: 0o600 });
}
