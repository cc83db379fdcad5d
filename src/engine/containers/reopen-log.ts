import type { EngineParts } from '../parts.ts';
import { liveTask } from './running-task.ts';

/** See ContainerService.reopenLog. */
export async function reopenLog(parts: EngineParts, id: string, signal: AbortSignal): Promise<void> {
  const { container, task } = liveTask(parts, id);
  // Without a log there is nothing to rotate.
  if (container.logPath !== '') await task.reopenLog(signal);
}
