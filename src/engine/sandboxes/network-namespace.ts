import { readFileSync } from 'node:fs';
import type { Pod } from '../model/pod.ts';
import type { EnginePaths } from '../paths.ts';
import { isPinned } from './is-pinned.ts';

/** Where the pod's network namespace is found: at its pin or, where that was lost, at a pause process that lives. Empty once it is gone. */
export function networkNamespace(paths: EnginePaths, { id, pausePid }: Pick<Pod, 'id' | 'pausePid'>): string {
  const pin = paths.pin(id, 'net');
  if (isPinned(pin)) return pin;
  return isPauseOf(id, pausePid) ? `/proc/${pausePid}/ns/net` : '';
}

/** Its number may be another process's by now; its cgroups are called after the pod. */
function isPauseOf(id: string, pid: number): boolean {
  if (pid === 0) return false;
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`/berth-pause-${id}\n`);
  } catch {
    return false;
  }
}
