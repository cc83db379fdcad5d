import { isKind } from '../../lib/errors.ts';
import type { Task } from '../../shim/port.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import type { EngineParts } from '../parts.ts';

/** Lets a paused container run again; later, if the shim refuses now: a container must not stay frozen. Never rejects. */
export async function resumeAtLast({ log, background }: Pick<EngineParts, 'log' | 'background'>, task: Task): Promise<void> {
  const container = task.handle.id;
  try {
    await resume(task, cleanUpSignal());
  } catch (error) {
    log.warn({ container, err: error }, 'a paused container could not be resumed; it is tried again');
    background.retry('resuming a container', { container }, (signal) => resume(task, signal));
  }
}

/** One that was never paused, or has ended, needs no resuming; its shim may be gone by now. */
async function resume(task: Task, signal: AbortSignal): Promise<void> {
  try {
    const { status } = await task.state(signal);
    if (status === 'paused') await task.resume(signal);
  } catch (error) {
    if (!isKind(error, 'not-found') && !isKind(error, 'unavailable')) throw error;
  }
}
