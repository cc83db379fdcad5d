import { isKind } from '../../lib/errors.ts';
import { abortable } from '../../lib/keyed-mutex.ts';
import type { ContainerId } from '../../lib/ids.ts';
import { longSleep } from '../../lib/long-sleep.ts';
import { isLive, type Container } from '../model/container.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import { observed } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { endHeard } from '../plugins/container-hooks.ts';
import { buryLost } from './bury-lost.ts';
import { deleteTask } from './delete-task.ts';
import { unpauseContainer } from './pause-container.ts';
import { resolveUnknown } from './resolve-unknown.ts';
import { signalNumber } from '../spec/stop-signal.ts';
import type { LiveTask } from '../stores/task-table.ts';

const sigkill = 9;
/** What a start may still take when somebody wants the container's end. */
const startMs = 2000;

/** See ContainerService.stop. Holds no lock while it waits, so others may stop with a shorter grace, list or exec. */
export async function stopContainer(parts: EngineParts, id: string, graceMs: number, signal: AbortSignal): Promise<void> {
  const found = parts.containers.find(id);
  if (found === undefined) return;
  const container = await settledContainer(parts, found, signal);
  const live = container !== undefined && isLive(container) ? parts.tasks.get(container.id) : undefined;
  if (container !== undefined && live !== undefined) await observed(parts, 'stop-container', () => endTask(parts, { container, live }, graceMs, signal));
  await endHeard(parts, found.id);
}

/** The container once no start is under way and it is known whether it runs. */
async function settledContainer(parts: EngineParts, { id }: Container, signal: AbortSignal): Promise<Container | undefined> {
  const state = parts.containers.peek(id)?.state;
  if (state === 'starting') await startEnded(parts, id, signal);
  if (state === 'starting' || state === 'unknown') await resolveUnknown(parts, id, signal);
  return parts.containers.peek(id);
}

/** A start that takes its usual time is waited for, and one that hangs is ended. */
async function startEnded(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<void> {
  const patience = setTimeout(() => {
    parts.tasks.endStart(id);
  }, startMs);
  try {
    await parts.containerLocks.run(id, async () => undefined, signal);
  } finally {
    clearTimeout(patience);
  }
}

interface Target {
  readonly container: Container;
  readonly live: LiveTask;
}

async function endTask(parts: EngineParts, target: Target, graceMs: number, signal: AbortSignal): Promise<void> {
  const { live } = target;
  if (graceMs > 0 && (await endedWithin(parts, target, graceMs, signal))) return;
  // Past this point the caller is still there: an aborted one left by an exception above.
  signal.throwIfAborted();
  // It goes on when its caller leaves: a shim that does not answer takes its time, and the next caller is to find the container dead.
  live.killing ??= kill(parts, target).finally(() => {
    live.killing = undefined;
  });
  await abortable(live.killing, signal);
  await abortable(live.exited, signal);
}

async function kill(parts: EngineParts, { container, live }: Target): Promise<void> {
  try {
    // Without a PID namespace of its own, the end of a container's main process does not end its others.
    await live.task.kill(sigkill, { all: container.config.security.namespaces.pid !== 'container' }, parts.background.signal);
  } catch (error) {
    if (isKind(error, 'timeout')) await buryFrozen(parts, container.id, live);
    // A shim that is gone is buried with what it left. Whoever watches the container does that, too, but tells nobody why it fails.
    else if (isKind(error, 'unavailable')) await deleteTask(parts, container.id, live);
    else throw error;
  }
}

/** Sends the stop signal unless an earlier call did. False when the grace ran out, or the signal could not be sent. */
async function endedWithin(parts: EngineParts, { container, live }: Target, graceMs: number, signal: AbortSignal): Promise<boolean> {
  const done = new AbortController();
  const grace = longSleep(graceMs, done.signal).then(() => false, () => false);
  try {
    if (!live.stopSignalSent) await sendStopSignal(parts, { container, live }, signal);
    return await abortable(Promise.race([live.exited.then(() => true), grace]), signal);
  } finally {
    done.abort();
  }
}

async function sendStopSignal(parts: EngineParts, { container, live }: Target, signal: AbortSignal): Promise<void> {
  live.stopSignalSent = true;
  try {
    await live.task.kill(signalNumber(container.stopSignal), { all: false }, signal);
    // It must run to hear it. Waited for by nobody: the grace has begun.
    if (parts.containers.peek(container.id)?.state === 'paused') parts.background.run('letting a paused container hear its stop signal', { container: container.id }, (closing) => unpauseContainer(parts, container.id, closing));
  } catch (error) {
    live.stopSignalSent = false;
    signal.throwIfAborted();
    parts.log.warn({ container: container.id, err: error }, `${container.stopSignal} could not be sent`);
  }
}

/** A shim that does not even answer to a kill cannot keep its container alive: it is killed past the shim. */
async function buryFrozen(parts: EngineParts, id: ContainerId, live: LiveTask): Promise<void> {
  parts.log.warn({ container: id }, 'the shim of a container that is to be killed does not answer; it is buried');
  // From here on nobody else records its exit.
  live.abandoned.abort();
  try {
    await bury(parts, id, live, cleanUpSignal());
  } catch (error) {
    parts.background.retry('burying a shim that does not answer', { container: id }, (closing) => bury(parts, id, live, closing));
    throw error;
  }
}

async function bury(parts: EngineParts, id: ContainerId, live: LiveTask, signal: AbortSignal): Promise<void> {
  await buryLost(parts, id, live.task.handle, signal);
  parts.tasks.delete(id);
  live.markExited();
}
