import type { EngineConfig } from '../config.ts';
import type { Pod } from '../model/pod.ts';

/** The runtime handler that a pod's containers run with. */
export function handlerOf({ config }: { readonly config: Pick<EngineConfig, 'defaultHandler'> }, pod: Pick<Pod, 'config'>): string {
  return pod.config.runtimeHandler === '' ? config.defaultHandler : pod.config.runtimeHandler;
}
