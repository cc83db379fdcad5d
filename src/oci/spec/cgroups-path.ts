/**
 * Where a container's cgroup goes. systemd: `slice:prefix:id` when the parent is a slice (the runtime makes a scope),
 * cgroupfs: a path below the parent.
 */
export function cgroupsPath(driver: 'cgroupfs' | 'systemd', parent: string, id: string): string {
  const last = parent.split('/').findLast((part) => part !== '') ?? '';
  if (driver === 'systemd') return `${last.endsWith('.slice') ? last : 'system.slice'}:berth:${id}`;
  return `/${parent}/${id}`.replaceAll(/\/+/g, '/');
}
