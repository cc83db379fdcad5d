import type { ContainerId } from '../../lib/ids.ts';
import type { TaskExit } from '../../shim/port.ts';
import { publishContainer } from '../facts/publish.ts';
import type { Container, ContainerExit, ExitReason } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { containerEnded } from '../plugins/container-hooks.ts';
import { releaseOwnPod } from '../sandboxes/own-pod.ts';
import { endTask } from './end-task.ts';

/** What an exit counts as that nobody saw. */
const unknownExitCode = 255;

function reasonOf({ exitCode, oomKilled }: TaskExit): ExitReason {
  if (oomKilled) return 'OOMKilled';
  return exitCode === 0 ? 'Completed' : 'Error';
}

/** Records that a container has ended and tells everybody. */
export function recordExit(parts: EngineParts, id: ContainerId, exit: ContainerExit): void {
  const container = parts.containers.transition(id, 'exited', { exit });
  parts.observer.containerExited(exit.reason);
  publishContainer(parts, 'stopped', container);
  containerEnded(parts, container);
  if (container.place === 'own') parts.background.ensure('releasing the pod of an ended container', { container: id }, (signal) => releaseEnded(parts, container, signal));
}

/** After its task, whose mounts and processes are in it. A start that came first has done it. */
function releaseEnded(parts: EngineParts, { id, podId, runs }: Container, signal: AbortSignal): Promise<void> {
  return parts.containerLocks.run(
    id,
    async () => {
      const now = parts.containers.peek(id);
      if (now?.state !== 'exited' || now.runs !== runs) return;
      await endTask(parts, id, signal);
      await releaseOwnPod(parts, podId, signal);
    },
    signal,
  );
}

/** Records what the shim told; undefined: the shim was lost, and nobody knows. */
export function recordTaskExit(parts: EngineParts, id: ContainerId, exit: TaskExit | undefined): void {
  const startedAtNs = parts.containers.required(id).startedAtNs ?? 0n;
  if (exit === undefined) {
    recordExit(parts, id, { exitCode: unknownExitCode, finishedAtNs: parts.clock.nowNs(), reason: 'Unknown', message: 'the shim was lost, and the exit code with it' });
    return;
  }
  // Two clocks: an exit must not seem to come before the start.
  const finishedAtNs = exit.exitedAtNs > startedAtNs ? exit.exitedAtNs : startedAtNs;
  recordExit(parts, id, { exitCode: exit.exitCode, finishedAtNs, reason: reasonOf(exit), message: '' });
}
