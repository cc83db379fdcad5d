import { isKind } from '../../lib/errors.ts';
import type { Task } from '../../shim/port.ts';

const sigkill = 9;

/**
 * Ends a task that runs against its record, or is being started: a start that its caller gave up may succeed all the same,
 * and what runs cannot be deleted. The kill comes before any question, which a shim whose OCI runtime hangs does not answer;
 * berth's own ends the runtime with it. A task whose shim is gone is left to its deletion, which buries it.
 */
export async function killIfRunning(task: Task, signal: AbortSignal): Promise<void> {
  try {
    await task.kill(sigkill, { all: true }, signal);
    if ((await task.state(signal)).status === 'running') await task.wait(signal);
  } catch (error) {
    if (!isKind(error, 'unavailable') && !isKind(error, 'not-found')) throw error;
  }
}
