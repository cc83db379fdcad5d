import { BerthError } from '../../lib/errors.ts';
import type { EngineConfig } from '../config.ts';
import type { PodConfig } from '../model/pod.ts';

const ipcNames = new Set(['kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced']);

type Scope = 'network' | 'ipc' | undefined;

/** The namespace that a sysctl belongs to; undefined: the whole node. */
function scopeOf(name: string): Scope {
  if (name.startsWith('net.')) return 'network';
  return ipcNames.has(name) || name.startsWith('fs.mqueue.') ? 'ipc' : undefined;
}

/** Refuses what would change the node and not the pod. */
export function checkSysctls({ sysctls, security }: Pick<PodConfig, 'sysctls' | 'security'>): void {
  for (const name of Object.keys(sysctls)) {
    const scope = scopeOf(name.replaceAll('/', '.'));
    if (scope === undefined) throw new BerthError('invalid', `sysctl ${name} belongs to the whole node and cannot be set for a pod`);
    if (security.namespaces[scope] === 'node') throw new BerthError('invalid', `sysctl ${name} needs a pod with its own ${scope} namespace`);
  }
}

/** Names of sysctls of one interface, with slashes. The loopback interface and the defaults for others are there from the beginning. */
const ofInterface = /^net\/[^/]+\/(?:conf|neigh)\/(?!(?:all|default|lo)\/)/;

/** As sysctl(8): the separator that comes first separates, so that interface names may hold dots. */
function slashed(name: string): string {
  if (!/^[^./]*\./.test(name)) return name;
  return name.replaceAll(/[./]/g, (separator) => (separator === '.' ? '/' : '.'));
}

function chosen(sysctls: Readonly<Record<string, string>>, late: boolean): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(sysctls).filter(([name]) => ofInterface.test(slashed(name)) === late));
}

/** What the pod asks for of interfaces, which exist once the network is attached. */
export function interfaceSysctls({ sysctls }: Pick<PodConfig, 'sysctls'>): Readonly<Record<string, string>> {
  return chosen(sysctls, true);
}

/** What else the pod asks for, and what every pod gets in a network namespace of its own. */
export function podSysctls(config: Pick<EngineConfig, 'enableUnprivilegedPorts' | 'enableUnprivilegedIcmp'>, pod: Pick<PodConfig, 'sysctls' | 'security'>): Readonly<Record<string, string>> {
  const { network, user } = pod.security.namespaces;
  const asked = chosen(pod.sysctls, false);
  if (network === 'node') return asked;
  return {
    ...(config.enableUnprivilegedPorts ? { 'net.ipv4.ip_unprivileged_port_start': '0' } : {}),
    // In a user namespace group ids above the mapping are not valid, and the kernel refuses the range.
    ...(config.enableUnprivilegedIcmp && user?.mode !== 'pod' ? { 'net.ipv4.ping_group_range': '0 2147483647' } : {}),
    ...asked,
  };
}
