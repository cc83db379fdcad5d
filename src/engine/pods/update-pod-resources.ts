import type { LinuxResources } from '../model/resources.ts';
import type { EngineParts } from '../parts.ts';
import { podChanged, podChanges } from '../plugins/pod-hooks.ts';

/** See PodService.updateResources. */
export async function updatePodResources(
  parts: EngineParts,
  idOrPrefix: string,
  update: { readonly overhead: LinuxResources | undefined; readonly resources: LinuxResources | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { id } = parts.pods.get(idOrPrefix);
  await podChanges(parts, id, update, signal);
  const { config } = parts.pods.required(id);
  parts.pods.update(id, { config: { ...config, overhead: update.overhead ?? config.overhead, resources: update.resources ?? config.resources } });
  await podChanged(parts, id);
}
