import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { parentDirectory } from '../../oci/runtime-spec/cgroups-path.ts';
import { cgroupParent } from '../cgroup-parent.ts';
import type { EngineConfig } from '../config.ts';
import type { Pod } from '../model/pod.ts';

/** Those of cgroup v1 that account; cpuset would first have to be filled in. */
const v1Controllers = ['memory', 'cpu', 'cpuacct', 'pids'];

/** The directories that account the pause process of a pod that shares its PID namespace, and nothing else; none for other pods. A leaf each: cgroup v2 lets no process live beside child groups. */
export function pauseCgroups(config: EngineConfig, pod: Pod): readonly string[] {
  if (pod.config.security.namespaces.pid !== 'pod') return [];
  const { cgroupRoot: root } = config;
  const leaf = join(parentDirectory(config.cgroupDriver, cgroupParent(config, pod.config)), `berth-pause-${pod.id}`);
  if (config.host.cgroupVersion === 2) return [join(root, leaf)];
  return v1Controllers.filter((controller) => existsSync(join(root, controller))).map((controller) => join(root, controller, leaf));
}

/** Makes them. */
export function preparePauseCgroups(config: EngineConfig, pod: Pod): readonly string[] {
  const directories = pauseCgroups(config, pod);
  for (const directory of directories) mkdirSync(directory, { recursive: true });
  return directories;
}

/** Removes them once the pause process is gone. */
export function removePauseCgroups(config: EngineConfig, pod: Pod): void {
  for (const directory of pauseCgroups(config, pod)) if (existsSync(directory)) rmdirSync(directory);
}
