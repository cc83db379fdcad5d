import { buildPeers, peerPath, whyNotBuildable } from '../peers/build.ts';
import type { TomlTable } from '../fixtures/toml.ts';

/** Why the OCI runtime that {@link modernRuntime} names cannot be had, or undefined. */
export const noModernRuntime = whyNotBuildable();

/** Settings of a daemon whose default handler `modern` is a runc of today, which user namespaces and recursive read-only mounts need. */
export async function modernRuntime(): Promise<TomlTable> {
  await buildPeers(['runc']);
  return { default_runtime: 'modern', runtimes: { modern: { runtime: peerPath('runc') } } };
}
