import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cri } from '../fixtures/cri.ts';

/** The main process of a running container, as the host numbers it. */
export async function pidOf(cri: Cri, id: string): Promise<number> {
  const { info } = await cri.call<{ info: Record<string, string> }>('ContainerStatus', { container_id: id, verbose: true });
  return (JSON.parse(info['info'] ?? '') as { pid: number }).pid;
}

/** A file of the container's cgroup in a version 1 hierarchy. */
export async function cgroupFile(cri: Cri, id: string, [controller, name]: readonly [string, string]): Promise<string> {
  const lines = readFileSync(`/proc/${await pidOf(cri, id)}/cgroup`, 'utf8').split('\n').map((line) => line.split(':'));
  const path = lines.find(([, controllers]) => controllers?.split(',').includes(controller))?.[2];
  if (path === undefined) throw new Error(`no cgroup of ${controller}`);
  return readFileSync(join('/sys/fs/cgroup', controller, path, name), 'utf8').trim();
}
