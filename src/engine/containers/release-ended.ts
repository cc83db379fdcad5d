import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';
import { releaseOwnPod } from '../sandboxes/own-pod.ts';
import { endTask } from './end-task.ts';

/** Has the own pod of an ended container released in the background, after its task, whose mounts and processes are in it. */
export function releaseEnded(parts: EngineParts, { id, podId, runs }: Container): void {
  parts.background.ensure('releasing the pod of an ended container', { container: id }, (signal) =>
    parts.containerLocks.run(
      id,
      async () => {
        const now = parts.containers.peek(id);
        // A start that came first has done it.
        if (now?.state !== 'exited' || now.runs !== runs) return;
        await endTask(parts, id, signal);
        await releaseOwnPod(parts, podId, signal);
      },
      signal,
    ),
  );
}
