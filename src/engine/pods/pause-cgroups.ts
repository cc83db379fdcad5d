import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { parentDirectory } from '../../oci/spec/cgroups-path.ts';
import { cgroupParent } from '../cgroup-parent.ts';
import type { EngineConfig } from '../config.ts';
import type { Pod } from '../model/pod.ts';

/** Those of cgroup v1 that account; cpuset would first have to be filled in. */
const v1Controllers = ['memory', 'cpu', 'cpuacct', 'pids'];

/** A leaf of its own: cgroup v2 lets no process live beside child groups. */
function pauseCgroups(config: EngineConfig, pod: Pod): readonly string[] {
  const { cgroupRoot: root } = config;
  const leaf = join(parentDirectory(config.cgroupDriver, cgroupParent(config, pod.config)), `berth-pause-${pod.id}`);
  if (config.host.cgroupVersion === 2) return [join(root, leaf)];
  return v1Controllers.filter((controller) => existsSync(join(root, controller))).map((controller) => join(root, controller, leaf));
}

/** The directories that account the pause process of a pod that shares its PID namespace; none for other pods. */
export function preparePauseCgroups(config: EngineConfig, pod: Pod): readonly string[] {
  if (pod.config.security.namespaces.pid !== 'pod') return [];
  const directories = pauseCgroups(config, pod);
  for (const directory of directories) mkdirSync(directory, { recursive: true });
  return directories;
}

/** Removes them once the pause process is gone. */
export function removePauseCgroups(config: EngineConfig, pod: Pod): void {
  if (pod.config.security.namespaces.pid !== 'pod') return;
  for (const directory of pauseCgroups(config, pod)) if (existsSync(directory)) rmdirSync(directory);
}
