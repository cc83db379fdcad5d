import type { CapabilityInput } from './input.ts';
import type { OciCapabilities } from './types.ts';

/** Every capability of Linux 5.9 and later (capability.h), by number. */
const all = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP',
  'LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER',
  'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE',
  'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP',
  'MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF',
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

/** What a container gets when the request says nothing: the set that Docker made customary. */
const defaults = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID',
  'CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

function canonical(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}

/** The word that stands for the whole set. Its case does not matter, since manifests like that of CoreDNS have it in lower case. */
const isAll = (name: string): boolean => name.toUpperCase() === 'ALL';

/** ALL stands for the whole set and gives way to single names: ALL is taken or dropped first, then the names. */
function requestedSet({ add: plain, drop, addAmbient }: CapabilityInput): ReadonlySet<string> {
  // What a process is to keep over an exec it must have in the first place.
  const add = [...plain, ...addAmbient];
  const dropped = drop.filter((name) => !isAll(name)).map(canonical);
  const added = add.filter((name) => !isAll(name)).map(canonical);
  const offered = add.some(isAll) ? all : defaults;
  const base = drop.some(isAll) ? [] : offered;
  return new Set([...base, ...added]).difference(new Set(dropped));
}

/**
 * The names that a request leads to, by number. What is not in the host's `bounding` set (a bit for each number) is left
 * out, also when it is asked for by name: the OCI runtime could not grant it and would start nothing.
 */
export function effectiveCapabilities(request: CapabilityInput | undefined, privileged: boolean, bounding: bigint): readonly string[] {
  const inOrder = (wanted: ReadonlySet<string>): readonly string[] =>
    all.filter((name, number) => wanted.has(name) && ((bounding >> BigInt(number)) & 1n) === 1n);
  if (privileged) return inOrder(new Set(all));
  return inOrder(requestedSet(request ?? { add: [], drop: [], addAmbient: [] }));
}

/** Names that no kernel knows, so that a typing error is an error and not a silent nothing. */
export function unknownCapabilities(request: CapabilityInput): readonly string[] {
  const known = new Set(all);
  return [...request.add, ...request.drop, ...request.addAmbient].filter(
    (name) => !isAll(name) && !known.has(canonical(name)),
  );
}

/**
 * The five sets of the spec. An ambient capability must be inheritable too; any other stays out of that set, from where it
 * would reach programs with file capabilities (CVE-2022-24769).
 */
export function capabilitySets(effective: readonly string[], ambient: readonly string[] = []): OciCapabilities {
  const raised = ambient.some(isAll) ? effective : effective.filter((name) => ambient.map(canonical).includes(name));
  return { bounding: effective, effective, permitted: effective, inheritable: raised, ambient: raised };
}
