import { adoptTask } from '../containers/adopt-task.ts';
import { endTask } from '../containers/end-task.ts';
import { recordExit, recordTaskExit } from '../containers/record-exit.ts';
import { releaseEnded } from '../containers/release-ended.ts';
import { removeContainer } from '../containers/remove-container.ts';
import type { ContainerId } from '../../lib/ids.ts';
import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { forEach } from './for-each.ts';

/** The doors stay closed for this long when a shim does not answer. */
const attachMs = 5000;
/** What an exit counts as that nobody saw. */
const rebootedCode = 255;

/** Finds again what ran, learns how the rest ended, and finishes what was half removed. */
export async function recoverContainers(parts: EngineParts): Promise<void> {
  const { starting = [], others = [] } = Object.groupBy(parts.containers.all(), ({ state }) => (state === 'starting' ? 'starting' : 'others'));
  // First of all, what a cut start left: neighbours that it froze run again only once that is gone.
  await recoverEach(parts, starting);
  await recoverEach(parts, others);
}

function recoverEach(parts: EngineParts, containers: readonly Container[]): Promise<void> {
  return forEach(parts, 'recovering a container', containers, async (container) => {
    switch (container.state) {
      case 'created':
        return;
      case 'starting':
      case 'running':
      case 'paused':
      case 'unknown':
        await (parts.state.rebooted ? endWithNode(parts, container) : takeOver(parts, container));
        return;
      case 'exited':
        if (container.place === 'own') releaseEnded(parts, container);
        else if (container.task !== undefined) parts.background.run('deleting the task of an ended container', { container: container.id }, (signal) => endTask(parts, container.id, signal));
        return;
      case 'removing':
        parts.background.run('finishing a removal', { container: container.id }, (signal) => removeContainer(parts, container.id, signal));
    }
  });
}

/** Its shim may have recorded an end that came before that of the node, in a run directory that is on a disk. */
async function endWithNode(parts: EngineParts, { id }: Container): Promise<void> {
  const exit = parts.shims.exitRecord(parts.paths.bundle(id));
  parts.containers.update(id, { task: undefined });
  if (exit === undefined) recordExit(parts, id, { exitCode: rebootedCode, finishedAtNs: parts.clock.nowNs(), reason: 'NodeRebooted', message: 'the node was rebooted while the container ran' });
  else recordTaskExit(parts, id, exit);
}

async function takeOver(parts: EngineParts, container: Container): Promise<void> {
  const { id } = container;
  try {
    await adoptTask(parts, container, AbortSignal.timeout(attachMs));
  } catch (error) {
    parts.log.warn({ container: id, err: error }, 'the shim of a container does not answer; its state is unknown for now');
    markUnknown(parts, id);
    parts.background.retry('asking the shim of a container', { container: id }, (signal) => adoptLater(parts, id, signal));
  }
}

function markUnknown(parts: EngineParts, id: ContainerId): void {
  const container = parts.containers.required(id);
  if (container.state === 'unknown') return;
  const wasPaused = container.state === 'paused';
  try {
    parts.containers.transition(id, 'unknown', { wasPaused });
  } catch (error) {
    parts.log.warn({ container: id, err: error }, 'that the state of a container is unknown could not be recorded');
    // What the disk still says brings the next berthd to the same doubt.
    parts.containers.restore({ ...container, state: 'unknown', wasPaused });
  }
}

function adoptLater(parts: EngineParts, id: ContainerId, signal: AbortSignal): Promise<void> {
  return parts.containerLocks.run(
    id,
    async () => {
      const container = parts.containers.peek(id);
      if (container?.state !== 'unknown') return;
      await adoptTask(parts, container, AbortSignal.any([signal, AbortSignal.timeout(attachMs)]));
    },
    signal,
  );
}
