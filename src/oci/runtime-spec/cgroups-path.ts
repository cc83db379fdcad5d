export type CgroupDriver = 'cgroupfs' | 'systemd';

const partsOf = (path: string): readonly string[] => path.split('/').filter((part) => part !== '');
const lastOf = (parent: string): string => partsOf(parent).at(-1) ?? '';

/** systemd knows a slice by its name alone: of a path only the last part counts. */
const sliceName = /^(?:-|[A-Za-z0-9:_.\\]+(?:-[A-Za-z0-9:_.\\]+)*)\.slice$/;

/**
 * What is wrong with a pod's cgroup parent for this driver, or undefined. A parent in the other driver's spelling comes from a
 * client that runs with that driver, and its limits would hold for nobody.
 */
export function parentProblem(driver: CgroupDriver, parent: string): string | undefined {
  const last = lastOf(parent);
  if (driver === 'systemd') return sliceName.test(last) ? undefined : 'the systemd cgroup driver wants the name of a slice, such as kubepods-burstable.slice';
  if (last.endsWith('.slice')) return 'it is a slice of systemd, and the cgroup driver is cgroupfs, which wants a path such as /kubepods/burstable';
  return partsOf(parent).some((part) => part === '.' || part === '..' || part.includes(':')) ? 'no part of its path may be "." or "..", or hold a colon' : undefined;
}

/**
 * The directory of a parent below the hierarchies' mount points. systemd keeps `a-b.slice` in `a.slice`, however a client writes
 * its path; `-.slice` is the root (systemd.slice(5)).
 */
export function parentDirectory(driver: CgroupDriver, parent: string): string {
  if (driver === 'cgroupfs') return `/${partsOf(parent).join('/')}`;
  const words = lastOf(parent).slice(0, -'.slice'.length).split('-').filter((word) => word !== '');
  return `/${words.map((_, index) => `${words.slice(0, index + 1).join('-')}.slice`).join('/')}`;
}

/** A container's cgroup as the OCI runtime is told it: a path, or for systemd `slice:prefix:id`, of which it makes a scope. */
export function cgroupsPath(driver: CgroupDriver, parent: string, id: string): string {
  return driver === 'systemd' ? `${lastOf(parent)}:berth:${id}` : below(parentDirectory(driver, parent), id);
}

/** Where that is below the mount points. */
export function containerDirectory(driver: CgroupDriver, parent: string, id: string): string {
  return below(parentDirectory(driver, parent), driver === 'systemd' ? `berth-${id}.scope` : id);
}

const below = (directory: string, name: string): string => (directory === '/' ? `/${name}` : `${directory}/${name}`);
