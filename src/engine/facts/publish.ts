import type { Container } from '../model/container.ts';
import type { FactAction } from '../model/fact.ts';
import type { Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';

type Parts = Pick<EngineParts, 'facts' | 'clock'>;

/** Tells what happened to a pod. Call it after the store shows the new state. */
export function publishPod({ facts, clock }: Parts, action: FactAction, { id, config: { owner } }: Pod): void {
  facts.tell({ atNs: clock.nowNs(), owner, kind: 'sandbox', action, id, attributes: {} });
}

/** Tells what happened to a container. Call it after the store shows the new state. */
export function publishContainer({ facts, clock }: Parts, action: FactAction, { id, owner, podId, config, exit }: Container): void {
  const exitCode: Readonly<Record<string, string>> = action === 'stopped' && exit !== undefined ? { exitCode: String(exit.exitCode) } : {};
  facts.tell({ atNs: clock.nowNs(), owner, kind: 'container', action, id, attributes: { sandbox: podId, name: config.name, image: config.image, ...exitCode } });
}
