import { BerthError } from '../../lib/errors.ts';
import type { Task } from '../../shim/port.ts';
import { isLive, type Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';

/** A container whose program lives, and its task. */
export interface RunningTask {
  readonly container: Container;
  readonly task: Task;
}

/** The container and its task; fails `not-found`, or `precondition` when it does not run. */
export function runningTask(parts: Pick<EngineParts, 'containers' | 'tasks'>, idOrPrefix: string): RunningTask {
  const live = liveTask(parts, idOrPrefix);
  if (live.container.state === 'paused') throw new BerthError('precondition', `container ${live.container.id} is paused`, { hint: 'unpause it first' });
  return live;
}

/** As runningTask(), also of a paused container. */
export function liveTask(parts: Pick<EngineParts, 'containers' | 'tasks'>, idOrPrefix: string): RunningTask {
  const container = parts.containers.get(idOrPrefix);
  const live = parts.tasks.get(container.id);
  if (!isLive(container) || live === undefined) throw new BerthError('precondition', `container ${container.id} is ${container.state} and not running`);
  return { container, task: live.task };
}
