import { isKind } from '../../lib/errors.ts';
import type { Task } from '../../shim/port.ts';

const sigkill = 9;

/**
 * Ends a task that runs against its record: a start that its caller gave up may have succeeded all the same, and what runs
 * cannot be deleted. One whose shim is gone is left to its deletion, which buries it.
 */
export async function killIfRunning(task: Task, signal: AbortSignal): Promise<void> {
  if (!(await runs(task, signal))) return;
  await task.kill(sigkill, { all: true }, signal);
  await task.wait(signal);
}

async function runs(task: Task, signal: AbortSignal): Promise<boolean> {
  try {
    return (await task.state(signal)).status === 'running';
  } catch (error) {
    if (isKind(error, 'unavailable') || isKind(error, 'not-found')) return false;
    throw error;
  }
}
