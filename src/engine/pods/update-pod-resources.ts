import type { LinuxResources } from '../model/resources.ts';
import type { EngineParts } from '../parts.ts';

/** See PodService.updateResources. */
export function updatePodResources(parts: EngineParts, idOrPrefix: string, update: { readonly overhead: LinuxResources | undefined; readonly resources: LinuxResources | undefined }): void {
  const { id, config } = parts.pods.get(idOrPrefix);
  parts.pods.update(id, { config: { ...config, overhead: update.overhead ?? config.overhead, resources: update.resources ?? config.resources } });
}
