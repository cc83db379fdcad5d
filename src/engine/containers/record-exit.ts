import type { ContainerId } from '../../lib/ids.ts';
import type { TaskExit } from '../../shim/port.ts';
import { publishContainer } from '../facts/publish.ts';
import type { ContainerExit, ExitReason } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { containerEnded } from '../plugins/container-hooks.ts';
import { releaseEnded } from './release-ended.ts';

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
  if (container.place === 'own') releaseEnded(parts, container);
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
