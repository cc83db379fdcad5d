import { BerthError } from '../../lib/errors.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import type { Task } from '../../shim/port.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';

type Parts = Pick<EngineParts, 'containers' | 'tasks'>;
interface RunningTask {
  readonly container: Container;
  readonly task: Task;
}

/** The container and its task; fails `not-found`, or `precondition` when it does not run. */
export function runningTask(parts: Parts, idOrPrefix: string): RunningTask {
  const container = parts.containers.get(idOrPrefix);
  const live = parts.tasks.get(container.id);
  if (container.state !== 'running' || live === undefined) throw new BerthError('precondition', `container ${container.id} is ${container.state} and not running`);
  return { container, task: live.task };
}

/** As runningTask(), once no start of a neighbour keeps the container frozen: the OCI runtime starts nothing in a frozen one. */
export async function thawedTask(parts: Parts, idOrPrefix: string, signal: AbortSignal): Promise<RunningTask> {
  for (;;) {
    const running = runningTask(parts, idOrPrefix);
    const thawed = parts.tasks.get(running.container.id)?.thawed;
    if (thawed === undefined) return running;
    await abortable(thawed, signal);
  }
}
