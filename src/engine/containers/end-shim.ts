import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerId } from '../../lib/ids.ts';
import type { EngineParts } from '../parts.ts';

const sigkill = 9;

/** Ends the shim of a container whose task was never recorded, if one was started, with all that it left. */
export async function endShim({ shims, paths }: EngineParts, { id, handler }: { readonly id: ContainerId; readonly handler: string }, signal: AbortSignal): Promise<void> {
  const bundle = paths.bundle(id);
  const handle = { id, handler, address: await shimAddress(bundle), version: 3, bundle, pid: 0 };
  const task = handle.address === '' ? undefined : await shims.attach(handle, signal);
  if (task === undefined) {
    await shims.bury(handle, signal);
    return;
  }
  await task.kill(sigkill, { all: false }, signal);
  await task.wait(signal);
  await task.remove(signal);
}

/** containerd's shims leave their address in the bundle; berth's own is found by its command line when it is buried. */
async function shimAddress(bundle: string): Promise<string> {
  try {
    return (await readFile(join(bundle, 'address'), 'utf8')).trim();
  } catch {
    return '';
  }
}
