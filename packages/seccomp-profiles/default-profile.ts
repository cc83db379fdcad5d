import { allowedSyscalls, capabilitySyscalls } from './syscalls.ts';

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

/** AF_VSOCK reaches the hypervisor past every network policy. */
const afVsock = 40;

const conditionalRules: readonly SyscallRule[] = [
  ...personalities.map((value) => ({ names: ['personality'], action: allow, args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] })),
  { names: ['socket'], action: allow, args: [{ index: 0, value: afVsock, op: 'SCMP_CMP_NE' }] },
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
      { names: [...new Set([...allowedSyscalls, ...unlocked])], action: allow },
      ...conditionalRules,
      ...(capabilities.includes('CAP_SYS_ADMIN') ? [] : confinedClone),
    ],
  };
}
