import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { groupId } from '../config/group-id.ts';
import { parseConfig } from '../config/load-config.ts';
import type { Agent } from '../agent/port.ts';
import { createLogger } from '../telemetry/log.ts';
import { notifySystemd } from './notify.ts';
import { findPrograms } from './programs.ts';
import { engineSettings, imageSettings, runtimeHandlers } from './settings.ts';
import { Shutdown } from './shutdown.ts';
import { packageVersion } from '../lib/version.ts';

const root = join(import.meta.dirname, '../..');
const config = (source: string) => parseConfig(source, '/c.toml', () => ({ mode: 0o600, uid: 0 }));
const silent = createLogger({ level: 'error', format: 'json' }, () => undefined);

let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'berth-daemon-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true });
});

function berthd(...args: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(join(root, 'bin/berthd'), args, { encoding: 'utf8', env: { ...process.env, CACHE_DIRECTORY: join(scratch, 'cache') } });
}

test('--version and --help answer and end', () => {
  expect(berthd('--version')).toMatchObject({ status: 0, stdout: `berthd ${packageVersion()}\n` });
  expect(berthd('--help').stdout).toContain('--config FILE');
});

test('what is wrong with arguments or settings is said in one line', () => {
  expect(berthd('--confg', 'x')).toMatchObject({ status: 1, stderr: expect.stringMatching(/^berthd: Unknown option '--confg'.*see berthd --help\n$/) });
  const file = join(scratch, 'c.toml');
  writeFileSync(file, '[cri]\nsokcet = "/x"\n');
  expect(berthd('--config', file)).toMatchObject({ status: 1, stderr: `berthd: unknown key "cri.sokcet" in ${file}; did you mean "socket"?\n` });
});

test('a native program that is missing is named, with the key to set', () => {
  const missing = config(`[agent]\npath = "${scratch}/none"`);
  expect(() => findPrograms(missing)).toThrow(expect.objectContaining({ message: `${scratch}/none does not exist`, hint: expect.stringContaining('[agent] path') }));
});

test('handlers take what they leave open from other settings', () => {
  const handlers = runtimeHandlers(config('run_root = "/r"\n[cgroup]\ndriver = "systemd"\n[runtimes.crun]\nsystemd_cgroup = false\n[runtimes.kata]\nshim = "/opt/kata"\nprotocol = "containerd"'), '/libexec/berth-shim');
  expect(handlers).toEqual([
    { name: 'crun', shim: '/libexec/berth-shim', runtime: '/usr/bin/crun', runtimeRoot: '/r/runtime/crun', systemdCgroup: false, protocol: 'berth' },
    { name: 'runc', shim: '/libexec/berth-shim', runtime: '/usr/bin/runc', runtimeRoot: '/r/runtime/runc', systemdCgroup: true, protocol: 'berth' },
    { name: 'kata', shim: '/opt/kata', runtime: '', runtimeRoot: '/r/runtime/kata', systemdCgroup: true, protocol: 'containerd' },
  ]);
});

test('the default cgroup parent is spelt as the driver wants it', () => {
  const parent = (source: string) => engineSettings(config(source), {} as never).defaultCgroupParent;
  expect([parent('[cgroup]\ndriver = "cgroupfs"'), parent('[cgroup]\ndriver = "systemd"'), parent('[cgroup]\ndriver = "cgroupfs"\nparent = "/mine"')]).toEqual(['/berth', 'berth.slice', '/mine']);
});

test('registry credentials reach the image service', () => {
  const { hosts } = imageSettings(config('[registries."r.example"]\nusername = "u"\npassword = "p"\nmirrors = ["m.example"]'));
  expect(hosts['r.example']).toMatchObject({ username: 'u', password: 'p', identityToken: '', mirrors: ['m.example'] });
});

test('a group is found by name or number, and none leaves the group alone', () => {
  expect([groupId('root'), groupId('1234'), groupId('')]).toEqual([0, 1234, -1]);
  expect(() => groupId('no-such-group')).toThrow(/not in \/etc\/group/);
});

test('systemd is told through its own tool, and nobody when nobody waits', async () => {
  const exec = vi.fn<Agent['exec']>(async () => ({ exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }));
  vi.stubEnv('NOTIFY_SOCKET', undefined);
  await notifySystemd({ exec }, '--ready');
  expect(exec).not.toHaveBeenCalled();
  vi.stubEnv('NOTIFY_SOCKET', '/run/notify');
  await notifySystemd({ exec }, '--ready');
  expect(exec).toHaveBeenCalledExactlyOnceWith({ argv: ['/usr/bin/systemd-notify', '--ready'], env: { NOTIFY_SOCKET: '/run/notify' }, timeoutMs: 5000 });
  exec.mockResolvedValue({ exitCode: 1, stdout: Buffer.alloc(0), stderr: Buffer.from('Failed to notify\n') });
  await expect(notifySystemd({ exec }, '--ready')).rejects.toThrow('/usr/bin/systemd-notify --ready ended with 1: Failed to notify');
});

test('parts end last first, once, and one that fails keeps no other from ending', async () => {
  const ended: string[] = [];
  const shutdown = new Shutdown(silent);
  shutdown.add('first', () => { ended.push('first'); });
  shutdown.add('bad', async () => { throw new Error('stuck'); });
  shutdown.add('last', async () => { ended.push('last'); });
  await Promise.all([shutdown.run(), shutdown.run()]);
  expect(ended).toEqual(['last', 'first']);
});

test.each(['[metrics]\nlisten = "9464"', '[cri]\ngroup = "nosuchgroup"', 'state_root = "/proc/foo"'])('what the check of a configuration finds keeps the daemon from starting, in the same words: %j', (source) => {
  const file = join(scratch, 'c.toml');
  writeFileSync(file, source);
  const { status, stderr } = berthd('--config', file);
  const check = spawnSync(join(root, 'bin/berth'), ['config', 'check', file], { encoding: 'utf8' });
  expect([status, check.status]).toEqual([1, 1]);
  expect(stderr).toContain(file);
  expect(check.stderr).toBe(stderr.replace(/^berthd/, 'berth'));
});

test('roots that are one directory by two names are told so, and not as another daemon', () => {
  const file = join(scratch, 'c.toml');
  mkdirSync(join(scratch, 'a'));
  symlinkSync(join(scratch, 'a'), join(scratch, 'b'));
  writeFileSync(file, `state_root = "${scratch}/a"\nrun_root = "${scratch}/b"\n`);
  expect(berthd('--config', file)).toMatchObject({ status: 1, stderr: expect.stringContaining(`owns ${scratch}/b already: state_root and run_root are one directory`) });
});

test('a configuration with credentials that others may read keeps the daemon from starting', () => {
  const file = join(scratch, 'c.toml');
  writeFileSync(file, '[registries."r"]\npassword = "hunter2"\n');
  chmodSync(file, 0o644);
  const { status, stderr } = berthd('--config', file);
  expect(status).toBe(1);
  expect(stderr).toMatch(/chmod 0600/);
  expect(stderr).not.toContain('hunter2');
});
