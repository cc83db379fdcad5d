import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isKind } from '../lib/errors.ts';
import { connectUnix } from '../lib/ttrpc/connect.ts';
import { ForeignStreams } from './foreign-streams.ts';
import { restoreBundle } from './restore-bundle.ts';
import type { ShimParts, ShimTarget } from './shim-parts.ts';
import { deleteShim } from './start-shim.ts';

/**
 * Kills a shim that lives and does not answer, and removes what it left: the container, through the shim's own `delete` as far
 * as that helps, its rootfs mount and its socket. A foreign shim that keeps other containers, too, is not killed.
 */
export async function buryShim(parts: ShimParts, target: ShimTarget, signal?: AbortSignal): Promise<void> {
  const { handle, handler } = target;
  parts.connections.forget(handle.address);
  restoreBundle(target);
  const sweeper = handler.protocol === 'berth' || parts.tasks.isShared(handle) ? undefined : parts.berthShim;
  await deleteShim(parts.agent, { handler, id: handle.id, bundle: handle.bundle, places: parts.places }, sweeper, signal);
  await parts.agent.unmount(join(handle.bundle, 'rootfs'), signal);
  await removeSocket(handle.address, signal);
  await new ForeignStreams(parts, target).finish(signal);
  parts.oom.unwatch(handle.id);
  parts.tasks.delete(handle);
}

/** A socket that still answers belongs to a shim that serves other containers, too. */
async function removeSocket(address: string, signal: AbortSignal | undefined): Promise<void> {
  if (!address.startsWith('unix://')) return;
  try {
    (await connectUnix(address, signal)).destroy();
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
    rmSync(address.slice('unix://'.length), { force: true });
  }
}
