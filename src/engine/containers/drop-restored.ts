import type { Container } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';

/** Removes the checkpoint that a container was started from: its memory is where it belongs, and a copy of it is a risk. */
export function dropRestored(parts: EngineParts, { id, restoreFrom }: Container): void {
  if (restoreFrom === undefined) return;
  parts.containers.update(id, { restoreFrom: undefined });
  parts.background.run('removing a restored checkpoint', { container: id }, (signal) => parts.agent.removeTree(restoreFrom, signal));
}
