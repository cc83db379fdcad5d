import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { stopPod } from './stop-pod.ts';

/** Clients look at pods as often. Few pods share their processes, and a look is one read. */
const intervalMs = 1000;

/** Whether the first process of a pod's PID namespace lives; true for a pod without one. A zombie has ended. */
export function initLives({ pausePid }: Pick<Pod, 'pausePid'>): boolean {
  if (pausePid === 0) return true;
  try {
    const stat = readFileSync(`/proc/${pausePid}/stat`, 'utf8');
    // The name before it may hold anything but is the last in parentheses.
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/**
 * Stops pods whose first process was killed: the kernel has ended the others with it and lets none begin, so that clients
 * must be told that the pod is to be replaced.
 */
export function watchInits(parts: EngineParts): void {
  parts.background.run('watching the first processes of pods', {}, async (closing) => {
    for (;;) {
      await sleep(intervalMs, undefined, { signal: closing });
      for (const pod of parts.pods.all()) if (pod.state === 'ready' && !initLives(pod)) endPod(parts, pod);
    }
  });
}

function endPod(parts: EngineParts, { id }: Pod): void {
  parts.log.warn({ pod: id }, 'the first process of a pod was killed, and all others with it; the pod is stopped');
  const stop = (signal: AbortSignal): Promise<void> => stopPod(parts, id, signal);
  parts.background.run('stopping a pod', { pod: id }, async (signal) => {
    try {
      await stop(signal);
    } catch (error) {
      signal.throwIfAborted();
      parts.log.warn({ pod: id, err: error }, 'a pod whose first process was killed is not released yet');
      parts.background.retry('releasing a pod whose first process was killed', { pod: id }, stop);
    }
  });
}
