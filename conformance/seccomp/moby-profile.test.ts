/** The default seccomp profile beside the one that most containers of the field run under, rule by rule. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultProfile, type SyscallRule } from '../../packages/seccomp-profiles/default-profile.ts';
import { whyNotBuildable } from '../peers/build.ts';

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
}

interface MobyRule extends SyscallRule {
  readonly includes?: Condition & { readonly minKernel?: string };
  readonly excludes?: Condition;
}

/** Where the two differ on purpose. A line that stands for no difference any more fails the test. */
const explained: readonly { readonly syscall: string; readonly side: 'moby' | 'berth'; readonly rule: string; readonly why: string }[] = [
  { syscall: 'socketcall', side: 'moby', rule: 'SCMP_ACT_ALLOW  ', why: 'its arguments lie in memory, so that no filter sees AF_ALG or AF_VSOCK in them; moby leaves AF_ALG to AppArmor and SELinux, which many nodes do not have' },
  { syscall: 'socketcall', side: 'berth', rule: 'SCMP_ACT_ERRNO 38 ', why: 'left out it would be allowed all the same: libseccomp lets it through for each rule of socket(2)' },
  { syscall: 'riscv_hwprobe', side: 'moby', rule: 'SCMP_ACT_ALLOW  ', why: 'berth has no build for RISC-V' },
];

const architectures = { x64: 'amd64', arm64: 'arm64' } as const;
const capabilities = ['AUDIT_CONTROL', 'BPF', 'DAC_READ_SEARCH', 'NET_ADMIN', 'PERFMON', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_CHROOT', 'SYS_MODULE', 'SYS_NICE', 'SYS_PACCT', 'SYS_PTRACE', 'SYS_RAWIO', 'SYS_TIME', 'SYS_TTY_CONFIG', 'SYSLOG'].map((name) => `CAP_${name}`);
const sets: readonly (readonly string[])[] = [[], capabilities, ...capabilities.map((name) => [name])];

const lacking = whyNotBuildable();
if (lacking !== undefined) console.log(`skipped: ${lacking}`);

function mobyRules(): readonly MobyRule[] {
  const said = execFileSync('go', ['mod', 'download', '-json', 'github.com/moby/profiles/seccomp'], { cwd: import.meta.dirname, encoding: 'utf8' });
  const { Dir: directory } = JSON.parse(said) as { Dir: string };
  return (JSON.parse(readFileSync(join(directory, 'default.json'), 'utf8')) as { syscalls: readonly MobyRule[] }).syscalls;
}

function holds({ includes, excludes }: MobyRule, caps: readonly string[], arch: string): boolean {
  if (includes?.arches !== undefined && !includes.arches.includes(arch)) return false;
  if (includes?.caps?.some((name) => !caps.includes(name)) === true) return false;
  return excludes?.caps?.some((name) => caps.includes(name)) !== true && excludes?.arches?.includes(arch) !== true;
}

/** One line for each name of each rule, in which nothing is left of how rules are grouped. */
const lines = (rules: readonly SyscallRule[]): ReadonlySet<string> =>
  new Set(rules.flatMap(({ names, action, errnoRet = '', args = [] }) => names.map((name) => `${name} ${action} ${errnoRet} ${args.map((arg) => `${arg.index} ${arg.op} ${arg.value} ${arg.valueTwo ?? 0}`).join(',')}`)));

describe.skipIf(lacking !== undefined)('the default seccomp profile', () => {
  test.each(Object.entries(architectures))('is moby’s on %s with every capability, but for what is explained', (ours, theirs) => {
    const moby = mobyRules();
    const differences = new Set<string>();
    for (const caps of sets) {
      const [own, other] = [lines(defaultProfile(caps, ours).syscalls), lines(moby.filter((rule) => holds(rule, caps, theirs)))];
      for (const line of own.difference(other)) differences.add(`berth: ${line}`);
      for (const line of other.difference(own)) differences.add(`moby: ${line}`);
    }
    expect([...differences].toSorted()).toEqual(explained.map(({ syscall, side, rule }) => `${side}: ${syscall} ${rule}`).toSorted());
  });
});
