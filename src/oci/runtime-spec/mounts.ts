import { ociIdMappings } from './namespaces.ts';
import type { BindInput, HostFacts, NamespaceInput, PodFiles, SecurityInput } from './input.ts';
import type { OciLinux, OciMount } from './types.ts';

/** The kernel mounts a sysfs only for the owner of the network namespace; who has another's gets the host's tree to read. */
function sysMount(foreignNetwork: boolean, options: readonly string[]): OciMount {
  if (foreignNetwork) return { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', 'rprivate', 'nosuid', 'noexec', 'nodev', 'rro'] };
  return { destination: '/sys', type: 'sysfs', source: 'sysfs', options };
}

/**
 * A mount of cgroup2 from the node's own cgroup namespace gives the one superblock its options: nsdelegate and the like would be
 * off for the whole node, and crun before 1.27 passes none on. So who has that namespace gets the node's mount.
 */
function cgroupMount(hostNamespace: boolean, options: readonly string[]): OciMount {
  if (hostNamespace) return { destination: '/sys/fs/cgroup', type: 'bind', source: '/sys/fs/cgroup', options: ['rbind', 'rprivate', ...options] };
  return { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options };
}

const safe = ['nosuid', 'noexec', 'nodev'];

function kernelMounts({ security, namespaces: { network, user }, host }: MountsInput): readonly OciMount[] {
  const access = security.privileged ? 'rw' : 'ro';
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: safe },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: safe },
    sysMount(network === 'node' && user !== undefined, [...safe, access]),
    cgroupMount(host.cgroupVersion === 2 && security.privileged, [...safe, 'relatime', access]),
  ];
}

function podFileMounts(files: PodFiles, readonly: boolean): readonly OciMount[] {
  const options = ['rbind', 'rprivate', readonly ? 'ro' : 'rw', 'nosuid', 'noexec', 'nodev'];
  return [
    { destination: '/etc/hostname', type: 'bind', source: files.hostname, options },
    { destination: '/etc/hosts', type: 'bind', source: files.hosts, options },
    { destination: '/etc/resolv.conf', type: 'bind', source: files.resolvConf, options },
    { destination: '/dev/shm', type: 'bind', source: files.shm, options: ['rbind', 'rprivate', 'rw', 'nosuid', 'noexec', 'nodev'] },
  ];
}

const propagationOption = { private: 'rprivate', 'host-to-container': 'rslave', bidirectional: 'rshared' } as const;

function bindMount(bind: BindInput): OciMount {
  const access = bind.recursiveReadOnly ? 'rro' : bind.readonly ? 'ro' : 'rw';
  const mount = {
    destination: bind.destination,
    type: 'bind',
    source: bind.source,
    options: ['rbind', propagationOption[bind.propagation], access, ...(bind.options ?? [])],
  };
  return withMappings(mount, { uidMappings: ociIdMappings(bind.uidMappings), gidMappings: ociIdMappings(bind.gidMappings) });
}

/** A bind mount that shows files as those of the mapped users; without mappings it shows them as they are. */
export function withMappings(mount: OciMount, { uidMappings = [], gidMappings = [] }: Pick<OciLinux, 'uidMappings' | 'gidMappings'>): OciMount {
  return uidMappings.length === 0 && gidMappings.length === 0 ? mount : { ...mount, uidMappings, gidMappings };
}

const normal = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') : path);
const depth = (path: string): number => normal(path).split('/').length;

/** Parents before children; what is equally deep keeps its order. */
export function byDepth<Mount extends { readonly destination: string }>(unsorted: readonly Mount[]): readonly Mount[] {
  return unsorted.toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

const ownTrees = ['/proc', '/sys', '/dev', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf'];

/** Whether berth itself mounts something at `path`, above or below it: nothing that an image wants may go there. */
export function isOwnPlace(path: string): boolean {
  return path === '/' || ownTrees.some((own) => isWithin(path, own));
}

/** `path` is `tree` or below it; both absolute and without a slash at the end. */
export function isWithin(path: string, tree: string): boolean {
  return path === tree || path.startsWith(`${tree}/`);
}

/** A request's mount replaces a default one on the same path; one on /dev also replaces what berth would put below it. */
function without(defaults: readonly OciMount[], binds: readonly BindInput[]): readonly OciMount[] {
  const taken = new Set(binds.map((bind) => normal(bind.destination)));
  const ownsDev = taken.has('/dev');
  return defaults.filter((m) => !taken.has(m.destination) && !(ownsDev && m.destination.startsWith('/dev/')));
}

export interface MountsInput {
  readonly security: SecurityInput;
  readonly namespaces: Pick<NamespaceInput, 'network' | 'user'>;
  readonly files: PodFiles;
  readonly binds: readonly BindInput[];
  readonly host: Pick<HostFacts, 'cgroupVersion'>;
}

/**
 * All mounts in the order in which the runtime makes them: the kernel's, then the pod's files with what the request has,
 * parents before children, so that a volume over /etc does not hide the pod's resolv.conf.
 */
export function mounts(input: MountsInput): readonly OciMount[] {
  const files = podFileMounts(input.files, input.security.readonlyRootfs);
  return [...without(kernelMounts(input), input.binds), ...byDepth([...without(files, input.binds), ...input.binds.map(bindMount)])];
}

/** The strongest propagation that a mount asks for: the rootfs must not be more private than that. */
export function rootfsPropagation(binds: readonly BindInput[]): string | undefined {
  if (binds.some((bind) => bind.propagation === 'bidirectional')) return 'rshared';
  return binds.some((bind) => bind.propagation === 'host-to-container') ? 'rslave' : undefined;
}
