import { BerthError } from '../../lib/errors.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { resumeAtLast } from './resume-at-last.ts';
import { runningTask } from './running-task.ts';

/** See ContainerService.pause. Waits for a checkpoint and for a neighbour's start, which would let it run again. */
export function pauseContainer(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<void> {
  return observed(parts, 'pause-container', () => {
    const { id } = parts.containers.get(idOrPrefix);
    return parts.checkpointLocks.run(id, () => parts.containerLocks.run(id, () => pause(parts, id, signal), signal), signal);
  });
}

async function pause(parts: EngineParts, id: string, signal: AbortSignal): Promise<void> {
  const { container, task } = runningTask(parts, id);
  try {
    await task.pause(signal);
    parts.containers.transition(container.id, 'paused');
  } catch (error) {
    // One that was given up may have come about, and what cannot be recorded must not stay.
    await resumeAtLast(parts, task);
    throw error;
  }
}

/** See ContainerService.unpause. */
export function unpauseContainer(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<void> {
  return observed(parts, 'unpause-container', () => {
    const { id } = parts.containers.get(idOrPrefix);
    return parts.checkpointLocks.run(id, () => parts.containerLocks.run(id, () => unpause(parts, id, signal), signal), signal);
  });
}

async function unpause(parts: EngineParts, idOrPrefix: string, signal: AbortSignal): Promise<void> {
  const { id, state } = parts.containers.get(idOrPrefix);
  const live = parts.tasks.get(id);
  if (state !== 'paused' || live === undefined) throw new BerthError('precondition', `container ${id} is ${state} and not paused`);
  // An earlier answer may have been lost.
  if ((await live.task.state(signal)).status === 'paused') await live.task.resume(signal);
  // It may have been killed while it stood still.
  if (parts.containers.peek(id)?.state === 'paused') parts.containers.transition(id, 'running');
}
