import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { PodId } from '../../lib/ids.ts';
import type { ExecRequest } from '../../agent/port.ts';
import { checkSelinuxLevel, contextOption, selinuxLabels } from '../../oci/runtime-spec/selinux.ts';
import type { Pod } from '../model/pod.ts';
import type { SecurityContext } from '../model/security.ts';
import { podConfig, security } from '../testing/configs.ts';
import { relabel } from './relabel.ts';
import { Selinux } from './selinux.ts';

const contexts = { process: 'system_u:system_r:container_t:s0', file: 'system_u:object_r:container_file_t:s0' };
const asked = (change: object) => ({ user: '', role: '', type: '', level: '', ...change });
const podWith = (change: Partial<SecurityContext> = {}): Pod => ({
  id: 'p' as PodId, config: podConfig('web', { security: security(change) }), state: 'ready', createdAtNs: 1n, network: undefined, networkHeld: false, pausePid: 0, waterfall: [], selinuxLevel: 's0:c1,c2',
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-selinux-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});
const files = () => ({ policies: directory, check: join(directory, 'context') });

test.each(['', 's0', 's0:c1', 's0:c1,c2', 's0-s0:c0.c1023', 's15:c1.c3,c9'])('the level "%s" is taken', (level) => {
  expect(() => checkSelinuxLevel(asked({ level }))).not.toThrow();
});

test.each(['gibberish', 's0:', 's0,c1', 's0:c12345', 's0:c1;c2', ' s0', 's0-s0:c0.c1023\n'])('the level "%s" is refused', (level) => {
  expect(() => checkSelinuxLevel(asked({ level }))).toThrow('malformed');
});

test('user and level are of process and files, role and type of the process alone', () => {
  const of = { contexts, level: 's0:c1,c2', privileged: false };
  expect(selinuxLabels(undefined, of)).toEqual({ process: 'system_u:system_r:container_t:s0:c1,c2', mount: 'system_u:object_r:container_file_t:s0:c1,c2' });
  expect(selinuxLabels(asked({ user: 'u', role: 'r', type: 't', level: 's0:c5' }), of)).toEqual({ process: 'u:r:t:s0:c5', mount: 'u:object_r:container_file_t:s0:c5' });
});

test('a privileged container is not confined, unless it names a type', () => {
  const of = { contexts, level: 's0:c1,c2', privileged: true };
  expect(selinuxLabels(undefined, of).process).toBe('system_u:system_r:spc_t:s0');
  expect(selinuxLabels(asked({ type: 'mine_t' }), of).process).toBe('system_u:system_r:mine_t:s0:c1,c2');
});

test('a container without options has its pod’s label; one without a level has its pod’s level', () => {
  const host = new Selinux(true, files());
  const pod = podWith({ selinux: asked({ type: 'pod_t' }) });
  expect(host.labels(pod)?.process).toBe('system_u:system_r:pod_t:s0:c1,c2');
  expect(host.labels(pod, security())?.process).toBe('system_u:system_r:pod_t:s0:c1,c2');
  expect(host.labels(pod, security({ selinux: asked({ type: 'own_t' }) }))?.process).toBe('system_u:system_r:own_t:s0:c1,c2');
  expect(host.labels(podWith({ selinux: asked({ level: 's0:c7' }) }), security({ selinux: asked({ role: 'r' }) }))?.mount).toBe('system_u:object_r:container_file_t:s0:c7');
});

test('the policy’s own contexts are used, and the kernel is asked whether it knows what comes out', () => {
  mkdirSync(join(directory, 'mls/contexts'), { recursive: true });
  writeFileSync(join(directory, 'config'), '# comment\nSELINUX=enforcing\nSELINUXTYPE=mls\n');
  writeFileSync(join(directory, 'mls/contexts/lxc_contexts'), 'process = "system_u:system_r:svirt_lxc_net_t:s0"\nfile = "system_u:object_r:svirt_sandbox_file_t:s0"\n');
  expect(new Selinux(true, files()).labels(podWith())).toEqual({ process: 'system_u:system_r:svirt_lxc_net_t:s0:c1,c2', mount: 'system_u:object_r:svirt_sandbox_file_t:s0:c1,c2' });
  expect(readFileSync(files().check, 'utf8')).toBe('system_u:system_r:svirt_lxc_net_t:s0:c1,c2');
  expect(() => new Selinux(true, { ...files(), check: join(directory, 'none/context') }).labels(podWith({ selinux: asked({ type: 'wrong_t' }) }))).toThrow(/no context system_u:system_r:wrong_t/);
});

test('without SELinux there is no label, whatever is asked', () => {
  const host = new Selinux(false, files());
  expect(host.labels(podWith({ selinux: asked({ type: 'spc_t', level: 's0' }) }))).toBeUndefined();
  expect(host.newLevel([])).toBeUndefined();
});

test('each pod has a level of its own with two categories', () => {
  const host = new Selinux(true, files());
  const levels = Array.from({ length: 50 }, () => host.newLevel([podWith()]));
  for (const level of levels) expect(level).toMatch(/^s0:c(\d+),c(\d+)$/);
  expect(levels).not.toContain('s0:c1,c2');
});

test('the option of a file system carries its commas in quotes', () => {
  expect(contextOption({ process: '', mount: 'u:r:t:s0:c1,c2' })).toBe('context="u:r:t:s0:c1,c2"');
});

test('files are relabelled with one program, never the node’s own, and never for a process that is not confined', async () => {
  const answer = { stdout: new Uint8Array(), stderr: new Uint8Array(), exitCode: 0 };
  const exec = vi.fn<(request: ExecRequest) => Promise<typeof answer>>(async () => answer);
  const labels = { process: 'u:r:t:s0', mount: 'u:r:f:s0' };
  const run = (of: typeof labels | undefined, paths: readonly string[]) => relabel({ exec }, of, paths, AbortSignal.timeout(1000));
  await run(undefined, ['/data']);
  await run({ ...labels, process: 'u:r:spc_t:s0' }, ['/data']);
  await run(labels, []);
  expect(exec).not.toHaveBeenCalled();
  await run(labels, ['/data', '/more']);
  expect(exec.mock.calls[0]?.[0].argv.slice(-3)).toEqual(['u:r:f:s0', '/data', '/more']);
  await expect(run(labels, ['/etc'])).rejects.toThrow('/etc is the node');
  exec.mockResolvedValue({ ...answer, exitCode: 1, stderr: new TextEncoder().encode("chcon: failed to change context of '/nfs' to 'x': Operation not supported\n") });
  await run(labels, ['/nfs']);
  exec.mockResolvedValue({ ...answer, exitCode: 1, stderr: new TextEncoder().encode('chcon: invalid context\n') });
  await expect(run(labels, ['/data'])).rejects.toThrow('invalid context');
});
