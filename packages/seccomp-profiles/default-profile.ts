import { allowedSyscalls, architectureSyscalls, capabilitySyscalls } from './syscalls.ts';

/** One rule in the form of the OCI runtime spec (linux.seccomp.syscalls). */
export interface SyscallRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly { readonly index: number; readonly value: number; readonly valueTwo?: number; readonly op: string }[];
}

export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SyscallRule[];
}

const EPERM = 1;
const ENOSYS = 38;
const allow = 'SCMP_ACT_ALLOW';

/** Main architecture first, then those whose programs the kernel also runs. */
const architectures: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** clone(2) flags that make a namespace: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const namespaceFlags = 0x7e020000;

/** personality(2) values that only change what programs see: Linux, 32-bit, UNAME26 and both, and the query. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/**
 * Address families that programs in containers use: UNIX and INET (with UNSPEC below 3), BRIDGE, ATMPVC, X25, INET6, KEY,
 * NETLINK, PACKET and the like. Not AF_ALG (38), whose code in the kernel let everyone write to cached files
 * (CVE-2026-31431), not AF_VSOCK (40), which reaches the hypervisor past every network policy, and none that is as good as
 * dead.
 */
const families = [7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45];
const commonFamilies = 3;

const when = (name: string, value: number, op: string): SyscallRule => ({ names: [name], action: allow, args: [{ index: 0, value, op }] });

const conditionalRules: readonly SyscallRule[] = [
  ...personalities.map((value) => when('personality', value, 'SCMP_CMP_EQ')),
  when('socket', commonFamilies, 'SCMP_CMP_LT'),
  ...families.map((family) => when('socket', family, 'SCMP_CMP_EQ')),
  // A filter cannot see the arguments of socketcall(2), by which 32-bit programs of glibc and Go make their sockets. It is
  // not enough to leave it out: libseccomp lets it through for each rule of socket(2). What is refused as the default
  // refuses, runtimes leave out as well, so it fails with another error.
  { names: ['socketcall'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
];

/** Without CAP_SYS_ADMIN: clone without new namespaces; clone3 hides its flags in memory, so programs must fall back. */
const confinedClone: readonly SyscallRule[] = [
  { names: ['clone'], action: allow, args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] },
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
];

/**
 * The profile for a process with these capabilities: what is not named fails with EPERM.
 * `arch` is Node's process.arch; an unknown one leaves the choice of architectures to the OCI runtime.
 */
export function defaultProfile(capabilities: readonly string[], arch: string): SeccompProfile {
  const unlocked = capabilities.flatMap((name) => capabilitySyscalls[name] ?? []);
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: architectures[arch] ?? [],
    syscalls: [
      { names: [...new Set([...allowedSyscalls, ...(architectureSyscalls[arch] ?? []), ...unlocked])], action: allow },
      ...conditionalRules,
      ...(capabilities.includes('CAP_SYS_ADMIN') ? [] : confinedClone),
    ],
  };
}
