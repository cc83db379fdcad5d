import type { EngineConfig } from './config.ts';

/** The cgroup below which all of a pod's processes live. */
export function cgroupParent(config: Pick<EngineConfig, 'defaultCgroupParent'>, pod: { readonly cgroupParent: string }): string {
  return pod.cgroupParent === '' ? config.defaultCgroupParent : pod.cgroupParent;
}
