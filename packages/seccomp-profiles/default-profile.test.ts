import { expect, test } from 'vitest';
import { defaultProfile } from './default-profile.ts';

const allowedNames = (capabilities: readonly string[]): readonly string[] =>
  defaultProfile(capabilities, 'x64').syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && rule.args === undefined).flatMap((rule) => rule.names);

test('what changes the host is allowed by the capability alone', () => {
  for (const [capability, call] of [['CAP_SYS_ADMIN', 'mount'], ['CAP_SYS_MODULE', 'init_module'], ['CAP_SYS_TIME', 'clock_settime'], ['CAP_SYS_CHROOT', 'chroot']] as const) {
    expect(allowedNames([])).not.toContain(call);
    expect(allowedNames([capability])).toContain(call);
  }
});

test('keyrings, kexec and io_uring stay closed even with every listed capability', () => {
  const names = allowedNames(['CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_MODULE', 'CAP_SYS_PTRACE', 'CAP_BPF']);
  for (const call of ['keyctl', 'add_key', 'request_key', 'kexec_load', 'kexec_file_load', 'io_uring_setup', 'userfaultfd']) expect(names).not.toContain(call);
});

test('an unprivileged process cannot make namespaces', () => {
  const clone = defaultProfile([], 'x64').syscalls.filter((rule) => rule.names.includes('clone') || rule.names.includes('clone3'));
  expect(clone).toEqual([
    { names: ['clone'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
  ]);
});

test('no name stands twice and everyday calls are there', () => {
  const names = allowedNames([]);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining(['execve', 'openat', 'futex', 'epoll_wait', 'statx', 'rseq']));
});
