import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isKind } from '../lib/errors.ts';
import { connectUnix } from '../lib/ttrpc/connect.ts';
import type { TaskHandle } from './port.ts';
import type { ShimParts, ShimTarget } from './shim-parts.ts';
import { deleteShim } from './start-shim.ts';

/**
 * Removes what a shim that died left: the container through the shim's own `delete`, its rootfs mount and its socket. One
 * that does not answer but lives is killed first.
 */
export async function buryShim(parts: ShimParts, target: ShimTarget, signal?: AbortSignal): Promise<void> {
  const { handle, handler } = target;
  parts.connections.forget(handle.address);
  // Without a bundle there is nothing that `delete` could find, and it went last.
  if (existsSync(handle.bundle)) {
    killShim(handle);
    await deleteShim(parts.agent, { handler, id: handle.id, bundle: handle.bundle, places: parts.places }, signal);
    await parts.agent.unmount(join(handle.bundle, 'rootfs'), signal);
  }
  await removeSocket(handle.address, signal);
  parts.oom.unwatch(handle.id);
}

/** berth-shim writes its pid down. It may be another process's by now, unless that one was started for the same container. */
function killShim({ bundle, id }: TaskHandle): void {
  try {
    const pid = Number(readFileSync(join(bundle, 'shim.pid'), 'utf8'));
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(id)) process.kill(pid, 'SIGKILL');
  } catch {
    // No pid was written, or there is no such process any more.
  }
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
