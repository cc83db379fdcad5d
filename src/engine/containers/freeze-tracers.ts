import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError, isKind } from '../../lib/errors.ts';
import type { ContainerId } from '../../lib/ids.ts';
import { effectiveCapabilities } from '../../oci/runtime-spec/capabilities.ts';
import { inParallel } from '../in-parallel.ts';
import { isLive, type Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { deleteTask } from './delete-task.ts';
import { endTask } from './end-task.ts';
import { pidSpace } from './pid-space.ts';
import { resumeAtLast } from './resume-at-last.ts';
import type { LiveTask } from '../stores/task-table.ts';

/** Many times what a start takes. A probe of a frozen neighbour fails once at most, where three failures in a row are the usual measure. */
const frozenMs = 10_000;
/** What recording the end of a container may take. */
const endMs = 2000;

/**
 * Freezes the neighbours that could trace the OCI runtime, which for some milliseconds of a start is a process of the PID
 * namespace that they share and still has the node's root directory. They run again, and the next container of the namespace
 * may start, when `during` is disposed. The signal that is returned gives the start up also when it keeps them for too long.
 * Fails `unavailable` when one can neither be frozen nor has ended.
 */
export async function freezeTracers(parts: EngineParts, container: Container, during: AsyncDisposableStack, signal: AbortSignal): Promise<AbortSignal> {
  const space = pidSpace(parts, container);
  if (space === undefined || space === container.id) return signal;
  // One that is starting cannot be frozen, and traces as soon as it runs.
  during.defer(await parts.pidSpaceLocks.hold(space, signal));
  const neighbours = parts.containers.ofPod(container.podId).filter((other) => other.id !== container.id && pidSpace(parts, other) === space);
  checkSettled(parts, container, neighbours);
  const tracers = neighbours.filter((other) => mayTrace(parts, other));
  for (const ended of tracers.filter(({ state, task }) => (state === 'exited' || state === 'removing') && task !== undefined)) await endLeft(parts, ended.id, signal);
  const running = tracers.filter(isLive).map(({ id }) => id).toSorted();
  return running.length === 0 ? signal : freezeAll(parts, { starter: container.id, ids: running }, during, signal);
}

/** By what it was granted, whoever it runs as: a program of its image may raise it to that. */
function mayTrace({ config: { host } }: EngineParts, { config: { security } }: Container): boolean {
  const granted = effectiveCapabilities(security.capabilities, security.privileged, host.boundingCapabilities);
  return granted.includes('CAP_SYS_PTRACE') || granted.includes('CAP_SYS_ADMIN');
}

/** What nobody can tell of cannot be frozen, and may be an OCI runtime that hangs. */
function checkSettled(parts: EngineParts, container: Container, neighbours: readonly Container[]): void {
  const unsettled = neighbours.filter(({ state, task }) => state === 'unknown' || (state === 'starting' && task !== undefined));
  const lost = unsettled.find((other) => mayTrace(parts, other) || mayTrace(parts, container));
  if (lost !== undefined) throw unfrozen(container.id, lost.id, `it is ${lost.state}`);
}

function unfrozen(starter: ContainerId, neighbour: ContainerId, reason: string, cause?: unknown): BerthError {
  return new BerthError('unavailable', `container ${starter} cannot start: container ${neighbour}, which shares its PID namespace and could trace the OCI runtime, cannot be frozen meanwhile: ${reason}`, {
    hint: `stop container ${neighbour}, or do without CAP_SYS_PTRACE and CAP_SYS_ADMIN in pods that share a PID namespace`,
    cause,
  });
}

/** Processes of an ended container, which a shared PID namespace does not end with the first. */
async function endLeft(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<void> {
  try {
    await endTask(parts, id, signal);
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error;
  }
}

interface Freeze {
  readonly starter: ContainerId;
  readonly ids: readonly ContainerId[];
}

async function freezeAll(parts: EngineParts, { starter, ids }: Freeze, during: AsyncDisposableStack, signal: AbortSignal): Promise<AbortSignal> {
  // A checkpoint that is being written would let its container run again. In the order of all who take several of these.
  for (const id of ids) during.defer(await parts.checkpointLocks.hold(id, signal));
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort(
      new BerthError('timeout', `container ${starter} did not start within the ${frozenMs / 1000} s for which its neighbours that could trace its OCI runtime may stand still`, {
        hint: 'the OCI runtime hangs or the node is overloaded; see the log of berthd, and do without CAP_SYS_PTRACE in pods that share a PID namespace',
      }),
    );
  }, frozenMs);
  during.defer(() => {
    clearTimeout(timer);
  });
  const limited = AbortSignal.any([signal, limit.signal]);
  // A paused one stands still already, and is not let run while its lock is held.
  const moving = ids.filter((id) => parts.containers.peek(id)?.state !== 'paused');
  await inParallel(moving.map((id) => () => freeze(parts, { starter, id }, during)), limited);
  return limited;
}

async function freeze(parts: EngineParts, { starter, id }: { readonly starter: ContainerId; readonly id: ContainerId }, during: AsyncDisposableStack): Promise<void> {
  const live = parts.tasks.get(id);
  if (live === undefined) throw unfrozen(starter, id, 'berth does not hold its task');
  const { promise, resolve } = Promise.withResolvers<void>();
  live.thawed = promise;
  // Before it is paused: the answer may be lost.
  during.defer(async () => {
    await resumeAtLast(parts, live.task);
    resolve();
  });
  try {
    // Without the signal: one that is given up may still come about.
    await live.task.pause();
  } catch (error) {
    if (!(await hasEnded(live))) throw unfrozen(starter, id, error instanceof Error ? error.message : String(error), error);
    await deleteTask(parts, id, live);
  }
}

/** The OCI runtime knows of an end before it is recorded. */
async function hasEnded({ exited }: LiveTask): Promise<boolean> {
  return Promise.race([exited.then(() => true), sleep(endMs, false, { ref: false })]);
}
