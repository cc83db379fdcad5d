import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** See HostFacts of the spec builder; structurally the same. */
export interface HostReadings {
  readonly cgroupVersion: 1 | 2;
  readonly swapControl: boolean;
  readonly hugetlbControl: boolean;
  readonly apparmor: boolean;
  /** See {@link apparmorLack}. */
  readonly apparmorLack: string | undefined;
  readonly selinux: boolean;
  readonly minOomScoreAdj: number;
  readonly boundingCapabilities: bigint;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

const capSysResource = 24n;

/** One of this process's capability sets as the kernel writes it: a bit for each capability number. */
function capabilityMask(set: 'CapEff' | 'CapBnd'): bigint {
  const line = read('/proc/self/status')
    .split('\n')
    .find((entry) => entry.startsWith(`${set}:`));
  return BigInt(`0x${line?.slice(set.length + 1).trim() ?? '0'}`);
}

const hasSysResource = (): boolean => ((capabilityMask('CapEff') >> capSysResource) & 1n) === 1n;

const kernelSwitch = '/sys/module/apparmor/parameters/enabled';
const kernelFiles = '/sys/kernel/security/apparmor';
const parser = '/sbin/apparmor_parser';

/**
 * Why containers cannot have AppArmor profiles; undefined: they can. The kernel's own word does not do: stock kernels have
 * AppArmor switched on where nothing can load a profile, and within somebody's container its profiles are not ours to set.
 */
export function apparmorLack(root = '/', env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (read(join(root, kernelSwitch)) !== 'Y') return 'the kernel has no AppArmor, or has it switched off';
  if ((env['container'] ?? '') !== '') return 'berthd itself runs in a container';
  const missing = [kernelFiles, parser].find((path) => !existsSync(join(root, path)));
  return missing === undefined ? undefined : `${missing} is missing${missing === parser ? '; install the package apparmor' : ''}`;
}

const cgroupRoot = '/sys/fs/cgroup';

/**
 * Whether cgroups of version 2 have a limit of swap, which `swapaccount=0` takes away. The root has no limits, so the first group
 * that has one of memory tells; before there is any, the kernel is believed to have what it has by default.
 */
export function hasSwapControl(root: string): boolean {
  const groups = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => `${root}/${name}`);
  const limited = [root, ...groups].find((group) => existsSync(`${group}/memory.max`));
  return limited === undefined || existsSync(`${limited}/memory.swap.max`);
}

/** Reads what this host offers to containers. Done once, at start. */
export function readHostFacts(): HostReadings {
  const lack = apparmorLack();
  const unified = existsSync(`${cgroupRoot}/cgroup.controllers`);
  const controllers = unified ? read(`${cgroupRoot}/cgroup.controllers`).split(' ') : [];
  return {
    cgroupVersion: unified ? 2 : 1,
    swapControl: unified ? hasSwapControl(cgroupRoot) : existsSync(`${cgroupRoot}/memory/memory.memsw.limit_in_bytes`),
    hugetlbControl: unified ? controllers.includes('hugetlb') : existsSync(`${cgroupRoot}/hugetlb`),
    apparmorLack: lack,
    apparmor: lack === undefined,
    selinux: existsSync('/sys/fs/selinux/enforce'),
    minOomScoreAdj: hasSysResource() ? -1000 : Number(read('/proc/self/oom_score_adj') || '0'),
    boundingCapabilities: capabilityMask('CapBnd'),
  };
}

export interface DeviceNode {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A device node's numbers (symlinks followed), or undefined when the path is no device. `path` is kept as given. */
export function readDevice(path: string): DeviceNode | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !(stat.isCharacterDevice() || stat.isBlockDevice())) return undefined;
  // glibc's makedev layout: 12 + 20 bits of major, 20 + 12 of minor, interleaved.
  const rdev = BigInt(stat.rdev);
  const major = Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn));
  const minor = Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn));
  return { path, type: stat.isBlockDevice() ? 'b' : 'c', major, minor, fileMode: stat.mode & 0o777, uid: stat.uid, gid: stat.gid };
}
