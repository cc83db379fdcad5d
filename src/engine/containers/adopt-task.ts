import type { ContainerId } from '../../lib/ids.ts';
import type { Task, TaskHandle } from '../../shim/port.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { buryLost } from './bury-lost.ts';
import { deleteTask } from './delete-task.ts';
import { recordExit } from './record-exit.ts';
import { watchExit } from './watch-exit.ts';

/** What a start that a crash cut short counts as. */
const startErrorCode = 128;

/**
 * Takes over the task of a container that an earlier berthd started: watches it on, or records how it ended. Rejects when
 * the shim does not answer, and nothing is changed then.
 */
export async function adoptTask(parts: EngineParts, container: Container, handle: TaskHandle, signal: AbortSignal): Promise<void> {
  const task = await parts.shims.attach(handle, signal);
  if (task === undefined) return buryLost(parts, container.id, handle, signal);
  const { status } = await task.state(signal);
  if (container.startedAtNs === undefined && status === 'created') return dropUnstarted(parts, container.id, task);
  if (container.state !== 'running') parts.containers.transition(container.id, 'running', { startedAtNs: container.startedAtNs ?? parts.clock.nowNs(), task: task.handle });
  watchExit(parts, container.id, parts.tasks.add(container.id, task));
}

async function dropUnstarted(parts: EngineParts, id: ContainerId, task: Task): Promise<void> {
  await deleteTask(parts, id, parts.tasks.add(id, task));
  recordCutStart(parts, id);
}

/** The client's StartContainer failed when the connection broke; now the container says so, too. */
export function recordCutStart(parts: EngineParts, id: ContainerId): void {
  recordExit(parts, id, { exitCode: startErrorCode, finishedAtNs: parts.clock.nowNs(), reason: 'StartError', message: 'berthd was restarted while the container started' });
}
