import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { waiting, type SuitePod } from '../cri/suite.ts';
import { cgroupFile, pidOf } from '../cri/cgroup-file.ts';
import { NriSuite } from './nri-suite.ts';
import { noPlugin } from './plugin-process.ts';

describe.skipIf(noPlugin !== undefined)('NRI adjustments', () => {
  let nri: NriSuite;
  let pod: SuitePod;
  beforeAll(async () => {
    nri = await NriSuite.start();
  });
  afterEach(async () => nri.reset());
  afterAll(async () => nri.close());

  const adjust = (adjustment: object): string => `-adjust=${JSON.stringify(adjustment)}`;

  /** What a shell in a container of this pod prints. */
  async function output(id: string, script: string): Promise<string> {
    const { stdout } = await nri.cri.cri.execSync(id, ['sh', '-c', script]);
    return stdout.toString().trim();
  }

  async function adjusted(adjustment: object, over: object = {}): Promise<string> {
    await nri.plugin(adjust(adjustment));
    pod = await nri.cri.pod();
    return nri.cri.run(pod, [...waiting], over);
  }

  async function specOf(id: string): Promise<{ readonly annotations: object; readonly process: object; readonly linux: object; readonly hooks: object }> {
    return JSON.parse(readFileSync(join(nri.cri.node.scratch.dir, 'run/containers', id, 'config.json'), 'utf8')) as Awaited<ReturnType<typeof specOf>>;
  }

  test('environment: added, replaced and taken away', async () => {
    const id = await adjusted({ env: [{ key: 'NEW', value: '1' }, { key: 'OLD', value: 'changed' }, { key: '-GONE' }] }, { envs: [{ key: 'OLD', value: Buffer.from('as asked') }, { key: 'GONE', value: Buffer.from('x') }, { key: 'KEPT', value: Buffer.from('y') }] });
    expect(await output(id, 'echo $NEW,$OLD,$GONE,$KEPT')).toBe('1,changed,,y');
  });

  test('mounts: added and taken away', async () => {
    const source = join(nri.cri.node.scratch.dir, 'extra');
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, 'file'), 'from the plugin');
    const id = await adjusted({ mounts: [{ destination: '/extra', type: 'bind', source, options: ['rbind', 'ro'] }, { destination: '-/etc/hosts' }] });
    expect(await output(id, 'cat /extra/file')).toBe('from the plugin');
    expect(await output(id, 'touch /extra/new 2>&1 || true')).toContain('Read-only');
    expect(await output(id, 'grep -c " /etc/hosts " /proc/mounts || true')).toBe('0');
  });

  test('a device is there and may be used', async () => {
    const id = await adjusted({ linux: { devices: [{ path: '/dev/mine', type: 'c', major: 1, minor: 3, fileMode: { value: 0o666 } }] } });
    expect(await output(id, 'echo x > /dev/mine && stat -c %t:%T /dev/mine')).toBe('1:3');
  });

  test('arguments are replaced', async () => {
    const id = await adjusted({ args: ['sh', '-c', 'while :; do sleep 0.05; : mine; done'] });
    expect(await output(id, 'cat /proc/1/cmdline')).toContain(': mine');
  });

  test('resources reach the cgroup and the status', async () => {
    const id = await adjusted({ linux: { resources: { memory: { limit: { value: 48 << 20 } }, cpu: { shares: { value: 300 }, quota: { value: 30_000 }, period: { value: 60_000 } }, pids: { limit: 77 } } } });
    expect(await cgroupFile(nri.cri.cri, id, ['memory', 'memory.limit_in_bytes'])).toBe(String(48 << 20));
    expect(await cgroupFile(nri.cri.cri, id, ['cpu', 'cpu.shares'])).toBe('300');
    expect(await cgroupFile(nri.cri.cri, id, ['cpu', 'cpu.cfs_quota_us'])).toBe('30000');
    expect(await cgroupFile(nri.cri.cri, id, ['pids', 'pids.max'])).toBe('77');
    expect((await nri.cri.cri.containerStatus(id)).resources?.linux).toMatchObject({ memory_limit_in_bytes: String(48 << 20), cpu_shares: '300', cpu_period: '60000' });
    await nri.cri.cri.call('UpdateContainerResources', { container_id: id, linux: { cpu_shares: 400 } });
    expect(await cgroupFile(nri.cri.cri, id, ['cpu', 'cpu.shares'])).toBe('400');
    // What CRI knows nothing of is kept for the next runtime that reads the spec.
    expect((await specOf(id)).linux).toMatchObject({ resources: { pids: { limit: 77 }, cpu: { shares: 400, quota: 30_000 } } });
  });

  test('rlimits, also without an end', async () => {
    const id = await adjusted({ rlimits: [{ type: 'RLIMIT_NOFILE', hard: 4096, soft: 512 }, { type: 'RLIMIT_CORE', hard: '18446744073709551615', soft: 0 }] });
    const limits = await output(id, 'cat /proc/1/limits');
    expect(limits).toMatch(/Max open files +512 +4096/);
    expect(limits).toMatch(/Max core file size +0 +unlimited/);
    await nri.cri.cri.call('UpdateContainerResources', { container_id: id, linux: { cpu_shares: 400 } });
    expect(readFileSync(join(nri.cri.node.scratch.dir, 'run/containers', id, 'config.json'), 'utf8')).toContain('"hard":18446744073709551615');
  });

  test('annotations, hooks, cgroups path, score, sysctls and namespaces', async () => {
    const trace = join(nri.cri.node.scratch.dir, 'hook');
    const cgroup = `${nri.cri.node.scratch.cgroup}/elsewhere`;
    const id = await adjusted({
      annotations: { 'a.b/c': 'd' },
      hooks: { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `echo ran > ${trace}`] }] },
      linux: { cgroupsPath: cgroup, oomScoreAdj: { value: 321 }, sysctl: { 'net.ipv4.ip_unprivileged_port_start': '1234' }, namespaces: [{ type: 'cgroup' }] },
    });
    expect((await specOf(id)).annotations).toMatchObject({ 'a.b/c': 'd' });
    expect(readFileSync(trace, 'utf8')).toBe('ran\n');
    expect(await output(id, 'cat /proc/1/oom_score_adj /proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe('321\n1234');
    expect(readFileSync(`/proc/${await pidOf(nri.cri.cri, id)}/cgroup`, 'utf8')).toContain(cgroup);
    expect(await output(id, 'cat /proc/1/cgroup')).not.toContain('elsewhere');
  });

  test('a seccomp policy replaces the one asked for', async () => {
    const policy = { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'], syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: { value: 38 } }] };
    const id = await adjusted({ linux: { seccompPolicy: policy } });
    expect(await output(id, 'mkdir /tmp/x 2>&1 || true')).toContain('not implemented');
  });

  test('a CDI device is injected', async () => {
    const dir = join(nri.cri.node.scratch.dir, 'cdi');
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'vendor.json'), JSON.stringify({ cdiVersion: '0.6.0', kind: 'vendor.example/thing', devices: [{ name: 'one', containerEdits: { env: ['THING=one'] } }] }));
    const cdi = await NriSuite.start({ containers: { cdi_spec_dirs: [dir] } });
    try {
      await cdi.plugin(adjust({ CDIDevices: [{ name: 'vendor.example/thing=one' }] }));
      const place = await cdi.cri.pod();
      const { stdout } = await cdi.cri.cri.execSync(await cdi.cri.run(place, [...waiting]), ['sh', '-c', 'echo $THING']);
      expect(stdout.toString()).toBe('one\n');
    } finally {
      await cdi.close();
    }
  });

  test('a plugin is told what the plugins before it have changed', async () => {
    await nri.plugin('-index=10', '-name=first', adjust({ env: [{ key: 'FIRST', value: '1' }] }));
    const second = await nri.plugin('-index=20', '-name=second', adjust({ env: [{ key: 'SECOND', value: '2' }] }));
    pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting]);
    expect((await second.heard('CreateContainer', id)).container?.['env']).toContain('FIRST=1');
    expect(await output(id, 'echo $FIRST$SECOND')).toBe('12');
  });

  test('two plugins that set the same make the creation fail, naming both', async () => {
    await nri.plugin('-index=10', '-name=first', adjust({ env: [{ key: 'SAME', value: '1' }] }));
    await nri.plugin('-index=20', '-name=second', adjust({ env: [{ key: 'SAME', value: '2' }] }));
    pod = await nri.cri.pod();
    await expect(nri.cri.create(pod, [...waiting])).rejects.toThrow(/10-first and 20-second both tried to set the environment variable SAME/);
    expect(await nri.cri.cri.listContainers()).toEqual([]);
  });

  test('a plugin may replace what another one has set by taking it away first', async () => {
    await nri.plugin('-index=10', '-name=first', adjust({ env: [{ key: 'SAME', value: '1' }], annotations: { a: '1' } }));
    await nri.plugin('-index=20', '-name=second', adjust({ env: [{ key: '-SAME' }, { key: 'SAME', value: '2' }], annotations: { '-a': '', a: '2' } }));
    pod = await nri.cri.pod();
    const id = await nri.cri.run(pod, [...waiting]);
    expect(await output(id, 'echo $SAME')).toBe('2');
    expect((await specOf(id)).annotations).toMatchObject({ a: '2' });
  });

  test('a validator sees what was changed and by whom, and may reject it', async () => {
    await nri.plugin('-index=10', '-name=changer', adjust({ env: [{ key: 'BAD', value: '1' }], linux: { oomScoreAdj: { value: 10 } } }));
    const validator = await nri.plugin('-index=20', '-name=judge', '-events=ValidateContainerAdjustment', '-reject=BAD is not allowed here');
    pod = await nri.cri.pod();
    await expect(nri.cri.create(pod, [...waiting])).rejects.toThrow(/20-judge rejects .*BAD is not allowed here/);
    const { adjust: seen, owners } = await validator.heard('ValidateContainerAdjustment');
    expect(seen).toMatchObject({ env: [{ key: 'BAD', value: '1' }], linux: { oomScoreAdj: { value: '10' } } });
    const [of] = Object.values((owners as { owners: object }).owners);
    expect(of).toMatchObject({ simple: { 29: '10-changer' }, compound: { 6: { owners: { BAD: '10-changer' } } } });
  });
});
