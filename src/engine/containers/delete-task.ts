import type { ContainerId } from '../../lib/ids.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import type { EngineParts } from '../parts.ts';
import { sharesPids } from './shares-pids.ts';
import type { LiveTask } from './task-table.ts';

const sigkill = 9;

/** Deletes an ended task with its cgroup and rootfs mount, once; whoever calls again waits for the same. */
export function deleteTask(parts: EngineParts, id: ContainerId, live: LiveTask): Promise<void> {
  live.removed ??= remove(parts, id, live).catch((error: unknown) => {
    live.removed = undefined;
    throw error;
  });
  return live.removed;
}

async function remove(parts: EngineParts, id: ContainerId, { task }: LiveTask): Promise<void> {
  const signal = cleanUpSignal();
  const container = parts.containers.peek(id);
  // A refusal means that nothing is left to kill; what really blocks the deletion shows there.
  if (container !== undefined && sharesPids(container)) await task.kill(sigkill, { all: true }, signal).catch(() => undefined);
  await task.remove(signal);
  parts.tasks.delete(id);
  if (parts.containers.peek(id) !== undefined) parts.containers.update(id, { task: undefined });
}
