import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringifyExactly } from '../lib/exact-json.ts';
import { CompiledSeccomp } from './compiled-seccomp.ts';
import type { RuntimeHandler } from './port.ts';

let root: string;
let crun: RuntimeHandler;
const profile = { defaultAction: 'SCMP_ACT_ERRNO' };
const program = Buffer.from('one insn');

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'berth-bpf-'));
  crun = { name: 'crun', shim: '/s', runtime: '/usr/bin/crun', runtimeRoot: join(root, 'crun'), systemdCgroup: false, protocol: 'berth' };
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/** A container as crun leaves it. */
function started(id: string, seccomp: unknown, bpf: Uint8Array): { readonly id: string; readonly bundle: string } {
  const bundle = join(root, id);
  mkdirSync(bundle);
  writeFileSync(join(bundle, 'config.json'), stringifyExactly({ linux: { seccomp } }));
  mkdirSync(join(crun.runtimeRoot, id), { recursive: true });
  writeFileSync(join(crun.runtimeRoot, id, 'seccomp.bpf'), bpf);
  return { id, bundle };
}

test('the second container of a profile gets the program of the first', async () => {
  const compiled = new CompiledSeccomp();
  expect(compiled.annotations(crun, profile)).toEqual({});
  await compiled.learn(crun, started('a', profile, program));
  expect(compiled.annotations(crun, profile)).toEqual({ 'run.oci.seccomp_bpf_data': program.toString('base64') });
});

test('profiles that differ only beyond what a number holds are two', async () => {
  const compiled = new CompiledSeccomp();
  const comparing = (value: bigint) => ({ ...profile, syscalls: [{ names: ['ioctl'], action: 'SCMP_ACT_ERRNO', args: [{ index: 1, value, op: 'SCMP_CMP_EQ' }] }] });
  const one = comparing((1n << 60n) + 1n);
  compiled.annotations(crun, one);
  await compiled.learn(crun, started('a', one, program));
  expect(compiled.annotations(crun, one)).toEqual({ 'run.oci.seccomp_bpf_data': program.toString('base64') });
  expect(compiled.annotations(crun, comparing((1n << 60n) + 2n))).toEqual({});
});

test('another profile, another runtime, a foreign shim or none at all get nothing', async () => {
  const compiled = new CompiledSeccomp();
  compiled.annotations(crun, profile);
  await compiled.learn(crun, started('a', profile, program));
  expect(compiled.annotations(crun, { defaultAction: 'SCMP_ACT_KILL' })).toEqual({});
  expect(compiled.annotations({ ...crun, runtime: '/opt/crun' }, profile)).toEqual({});
  expect(compiled.annotations({ ...crun, runtime: '/usr/sbin/runc' }, profile)).toEqual({});
  expect(compiled.annotations({ ...crun, protocol: 'containerd' }, profile)).toEqual({});
  expect(compiled.annotations(crun, undefined)).toEqual({});
});

test('a program that is missing, empty or torn is not taken', async () => {
  const compiled = new CompiledSeccomp();
  compiled.annotations(crun, profile);
  await compiled.learn(crun, { id: 'gone', bundle: join(root, 'gone') });
  await compiled.learn(crun, started('empty', profile, Buffer.alloc(0)));
  await compiled.learn(crun, started('torn', profile, Buffer.from('nine byte')));
  expect(compiled.annotations(crun, profile)).toEqual({});
});

test('profiles without end do not fill the memory', async () => {
  const compiled = new CompiledSeccomp();
  for (let index = 0; index < 100; index += 1) {
    compiled.annotations(crun, { index });
    await compiled.learn(crun, started(`c${index}`, { index }, program));
  }
  expect(compiled.annotations(crun, { index: 0 })).toEqual({});
  expect(compiled.annotations(crun, { index: 99 })).not.toEqual({});
});
