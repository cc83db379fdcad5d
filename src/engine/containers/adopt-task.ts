import type { ContainerId } from '../../lib/ids.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import type { Task } from '../../shim/port.ts';
import { handlerOf } from '../spec/handler-of.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { buryLost } from './bury-lost.ts';
import { deleteTask } from './delete-task.ts';
import { endShim } from './end-shim.ts';
import { recordExit } from './record-exit.ts';
import { watchExit } from './watch-exit.ts';

/** What a start that a crash cut short counts as. */
const startErrorCode = 128;

/**
 * Takes over the task of a container that an earlier berthd started: watches it on, or records how it ended. A start that
 * was cut short is undone. Rejects when the shim does not answer, and nothing is changed then.
 */
export async function adoptTask(parts: EngineParts, container: Container, signal: AbortSignal): Promise<void> {
  const { id, task: handle, startedAtNs } = container;
  if (handle === undefined) return dropUnrecorded(parts, container, signal);
  const task = await parts.shims.attach(handle, signal);
  if (task === undefined) return buryLost(parts, id, handle, signal);
  const { status } = await task.state(signal);
  if (startedAtNs === undefined && status === 'created') return dropUnstarted(parts, id, task);
  const wanted = status === 'paused' && (container.state === 'paused' || container.wasPaused === true) ? 'paused' : 'running';
  // Checkpoints pause, and starts of neighbours; the one that did is gone with the berthd that worked on it.
  if (status === 'paused' && wanted === 'running') await task.resume(signal);
  await endExecs(parts, id, task, signal);
  if (container.state !== wanted) parts.containers.transition(id, wanted, { startedAtNs: startedAtNs ?? parts.clock.nowNs(), task: task.handle, wasPaused: false });
  // Nothing fails from here on: a second try would watch the task twice.
  const live = parts.tasks.add(id, task);
  watchExit(parts, id, live);
  // Clients shall not see it running any more; if the exit takes long to tell, they do for a while.
  if (status === 'stopped') await abortable(live.exited, signal).catch(() => undefined);
}

/** Those of the earlier berthd: whoever listened to them, and whoever minded their time, has gone with it. */
async function endExecs(parts: EngineParts, id: ContainerId, task: Task, signal: AbortSignal): Promise<void> {
  try {
    await task.endExecs(signal);
  } catch (err) {
    parts.log.warn({ container: id, err }, 'what was executed in a container before berthd was restarted may still run');
  }
}

/** Cut short before the shim was known: whatever the start had got to is cleaned up. */
async function dropUnrecorded(parts: EngineParts, { id, podId }: Container, signal: AbortSignal): Promise<void> {
  await endShim(parts, { id, handler: handlerOf(parts, parts.pods.required(podId)) }, signal);
  recordCutStart(parts, id);
}

async function dropUnstarted(parts: EngineParts, id: ContainerId, task: Task): Promise<void> {
  await deleteTask(parts, id, parts.tasks.add(id, task));
  recordCutStart(parts, id);
}

/** The client's StartContainer failed; now the container says so, too. */
function recordCutStart(parts: EngineParts, id: ContainerId): void {
  recordExit(parts, id, { exitCode: startErrorCode, finishedAtNs: parts.clock.nowNs(), reason: 'StartError', message: 'berthd was restarted, or could not write its records, while the container started' });
}
