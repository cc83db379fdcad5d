import type { EngineParts } from '../parts.ts';
import { runningTask } from './running-task.ts';

/** See ContainerService.reopenLog. */
export async function reopenLog(parts: EngineParts, id: string, signal: AbortSignal): Promise<void> {
  const { container, task } = runningTask(parts, id);
  // Without a log there is nothing to rotate.
  if (container.logPath !== '') await task.reopenLog(signal);
}
