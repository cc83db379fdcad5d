import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { apparmorLack, hasSwapControl } from './host-facts.ts';

const roots: string[] = [];

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

function host(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'berth-host-'));
  roots.push(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const enabled = { '/sys/module/apparmor/parameters/enabled': 'Y\n' };
const files = { '/sys/kernel/security/apparmor/profiles': '' };
const parser = { '/sbin/apparmor_parser': '' };

test('a node has AppArmor when the kernel, its files and the parser are there', () => {
  expect(apparmorLack(host({ ...enabled, ...files, ...parser }), {})).toBeUndefined();
});

test.each([
  ['a kernel without it', { ...files, ...parser }, {}, 'the kernel'],
  ['a kernel that has it switched off', { ...files, ...parser, '/sys/module/apparmor/parameters/enabled': 'N\n' }, {}, 'the kernel'],
  ['a stock kernel without the package', { ...enabled, ...files }, {}, '/sbin/apparmor_parser is missing; install the package apparmor'],
  ['no securityfs', { ...enabled, ...parser }, {}, '/sys/kernel/security/apparmor is missing'],
  ["somebody's container", { ...enabled, ...files, ...parser }, { container: 'docker' }, 'in a container'],
])('%s has none', (_what, present, env, why) => {
  expect(apparmorLack(host(present), env)).toContain(why);
});

test.each([
  ['a group with both limits', { 'init.scope/cgroup.procs': '', 'system.slice/memory.max': 'max', 'system.slice/memory.swap.max': 'max' }, true],
  ['a kernel that counts no swap', { 'system.slice/memory.max': 'max' }, false],
  ['no group with limits yet', { 'cgroup.controllers': 'memory' }, true],
])('swap can be limited: %s', (_what, present, expected) => {
  expect(hasSwapControl(host(present))).toBe(expected);
});
