import type { ContainerId } from '../../lib/ids.ts';
import type { TaskHandle } from '../../shim/port.ts';
import type { EngineParts } from '../parts.ts';
import { recordTaskExit } from './record-exit.ts';

/** Records the exit of a container whose shim is lost, as far as it is known, after killing what that left. */
export async function buryLost(parts: EngineParts, id: ContainerId, handle: TaskHandle, signal: AbortSignal): Promise<void> {
  const exit = parts.shims.exitRecord(handle.bundle);
  await parts.shims.bury(handle, signal);
  const state = parts.containers.peek(id)?.state;
  // Two callers may have buried the same shim.
  if (state === undefined || state === 'exited' || state === 'removing') return;
  parts.containers.update(id, { task: undefined });
  recordTaskExit(parts, id, exit);
}
