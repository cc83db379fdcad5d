/** The daemon's client against the real berth-agent: every call of the contract once, with what it must get across. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isKind } from '../../src/lib/errors.ts';
import type { Agent, NamespaceRequest } from '../../src/agent/port.ts';
import { missing, nativeDirectory, PrivateAgent } from './private-agent.ts';

const absent = missing(join(nativeDirectory, 'berth-agent'), join(nativeDirectory, 'berth-pause'));
if (absent !== undefined) console.warn(`skipped: ${absent} is not built`);

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.skipIf(absent !== undefined)('berth-agent', () => {
  let directory: string;
  let privateAgent: PrivateAgent;
  let agent: Agent;

  const fresh = (name: string): string => {
    const path = join(directory, name);
    mkdirSync(path);
    return path;
  };
  const bind = (source: string): { type: string; source: string; options: string[] } => ({ type: 'bind', source, options: ['rbind', 'ro'] });
  /** Runs a command where the agent's mounts are. */
  const inside = async (...argv: [string, ...string[]]): Promise<string> => text((await agent.exec({ argv, env: {} })).stdout);

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ba-'));
    privateAgent = new PrivateAgent(directory);
    agent = privateAgent.agent;
    await agent.info();
  });

  afterAll(async () => {
    await privateAgent.close();
    rmSync(directory, { recursive: true });
  });

  test('info tells what the kernel can do', async () => {
    const info = await agent.info();
    expect(info).toMatchObject({ version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    expect(readlinkSync(`/proc/${info.pid}/exe`)).toBe(join(nativeDirectory, 'berth-agent'));
    expect(['legacy', 'hybrid', 'unified']).toContain(info.cgroupMode);
  });

  test('exec gives the program its environment, directory and input, and tells how it ended', async () => {
    const script = 'pwd; env | grep -v ^PWD | grep -v ^_ | grep -v ^SHLVL; cat; echo bad >&2; exit 7';
    const result = await agent.exec({ argv: ['/bin/sh', '-c', script], env: { A: 'x=y', B: 'z' }, cwd: '/tmp', stdin: Buffer.from('input') });
    expect(text(result.stdout).split('\n').toSorted()).toEqual(['/tmp', 'A=x=y', 'B=z', expect.stringMatching(/^BERTH_AGENT_ROOT=\//), 'input']);
    expect([text(result.stderr), result.exitCode]).toEqual(['bad\n', 7]);
    expect((await agent.exec({ argv: ['/bin/sh', '-c', 'kill -9 $$'], env: {} })).exitCode).toBe(137);
    expect(isKind(await failure(agent.exec({ argv: ['/bin/absent'], env: {} })), 'not-found')).toBe(true);
    expect(isKind(await failure(agent.exec({ argv: ['/bin/sleep', '100'], env: {}, timeoutMs: 100 })), 'timeout')).toBe(true);
  });

  test('many programs run at once, and a big output comes whole', async () => {
    const results = await Promise.all(Array.from({ length: 40 }, (_unused, index) => agent.exec({ argv: ['/bin/echo', String(index)], env: {} })));
    expect(results.map(({ stdout }) => text(stdout))).toEqual(Array.from({ length: 40 }, (_unused, index) => `${index}\n`));
    expect((await agent.exec({ argv: ['/usr/bin/head', '-c', '1000000', '/dev/zero'], env: {} })).stdout).toHaveLength(1_000_000);
  });

  test('namespaces are pinned until they are released; releasing twice is success', async () => {
    const dir = join(directory, 'pod');
    const request: NamespaceRequest = {
      dir,
      net: true,
      ipc: true,
      uts: true,
      pid: true,
      uidMappings: [],
      gidMappings: [],
      hostname: 'box',
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
      pauseCgroups: [],
    };
    const { pausePid } = await agent.createNamespaces(request);
    expect(pausePid).toBeGreaterThan(1);
    expect(readdirSync(dir).toSorted()).toEqual(['ipc', 'net', 'pid', 'uts']);
    expect(await inside('/usr/bin/nsenter', `--uts=${dir}/uts`, '/bin/hostname')).toBe('box\n');
    expect(await inside('/usr/bin/nsenter', `--net=${dir}/net`, '/bin/cat', '/proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe('0\n');
    const stats = await agent.networkStats(join(dir, 'net'));
    expect(stats).toContainEqual({ name: 'lo', rxBytes: 0n, rxPackets: 0n, rxErrors: 0n, rxDropped: 0n, txBytes: 0n, txPackets: 0n, txErrors: 0n, txDropped: 0n });
    await agent.releaseNamespaces({ dir, pausePid });
    await agent.releaseNamespaces({ dir, pausePid });
    await expect.poll(() => existsSync(`/proc/${pausePid}`)).toBe(false);
    expect(existsSync(join(dir, 'net'))).toBe(false);
  });

  test('a user namespace owns the others when it is mapped', async () => {
    const dir = join(directory, 'userpod');
    const mapping = [{ containerId: 0, hostId: 100_000, length: 65_536 }];
    const { pausePid } = await agent.createNamespaces({ dir, net: true, ipc: false, uts: true, pid: false, uidMappings: mapping, gidMappings: mapping, hostname: 'u', sysctls: {}, pauseCgroups: [] });
    expect(pausePid).toBe(0);
    expect((await inside('/usr/bin/nsenter', `--user=${dir}/user`, '/bin/cat', '/proc/self/uid_map')).trim().split(/\s+/)).toEqual(['0', '100000', '65536']);
    await agent.releaseNamespaces({ dir, pausePid: 0 });
  });

  test('a mount is there until it is taken away', async () => {
    const [source, target] = [fresh('source'), fresh('target')];
    writeFileSync(join(source, 'file'), 'content');
    await agent.mount(bind(source), target);
    expect(await inside('/bin/cat', join(target, 'file'))).toBe('content');
    await agent.unmount(target);
    await agent.unmount(target);
    expect(await inside('/bin/ls', target)).toBe('');
    expect(isKind(await failure(agent.mount(bind(source), join(directory, 'absent'))), 'not-found')).toBe(true);
  });

  test('a layer is unpacked and measured; a wrong digest leaves nothing', async () => {
    const [source, layer, bad] = [fresh('content'), fresh('layer'), fresh('bad')];
    mkdirSync(join(source, 'etc'));
    writeFileSync(join(source, 'etc/hosts'), 'x'.repeat(10_000), { mode: 0o640 });
    const tar = execFileSync('tar', ['-C', source, '-c', '.']);
    const blob = join(directory, 'blob');
    writeFileSync(blob, gzipSync(tar));
    const request = { id: 'layer', blob, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', diffId: `sha256:${createHash('sha256').update(tar).digest('hex')}`, dir: layer, parents: [] };
    const result = await agent.unpack(request);
    expect(readFileSync(join(layer, 'etc/hosts'), 'utf8')).toHaveLength(10_000);
    expect(statSync(join(layer, 'etc/hosts')).mode & 0o777).toBe(0o640);
    expect(result.bytes).toBe(tar.length);
    expect(result.inodes).toBeGreaterThanOrEqual(2);
    expect(Object.keys(result.micros).length).toBeGreaterThan(0);
    const [usage, none] = await agent.diskUsage([layer, join(directory, 'absent')]);
    expect(usage).toEqual({ bytes: result.diskBytes, inodes: result.inodes });
    expect(none).toEqual({ bytes: 0, inodes: 0 });
    expect(isKind(await failure(agent.unpack({ ...request, dir: bad, diffId: `sha256:${'0'.repeat(64)}` })), 'invalid')).toBe(true);
    expect(readdirSync(bad)).toEqual([]);
    await agent.removeTree(layer);
    await agent.removeTree(layer);
    expect(existsSync(layer)).toBe(false);
  });

  test('files and directories are read out of a snapshot', async () => {
    const [root, target] = [fresh('snapshot'), fresh('copy')];
    mkdirSync(join(root, 'data/sub'), { recursive: true });
    writeFileSync(join(root, 'passwd'), 'root:x:0:0::/:/bin/sh\n');
    writeFileSync(join(root, 'data/sub/f'), 'deep');
    const [passwd, none, dir] = await agent.readSnapshotFiles([bind(root)], ['/passwd', '/absent', '/data']);
    expect([text(passwd), none, dir]).toEqual(['root:x:0:0::/:/bin/sh\n', undefined, undefined]);
    await agent.copySnapshotTree([bind(root)], { path: '/data', target });
    expect(readFileSync(join(target, 'sub/f'), 'utf8')).toBe('deep');
    await agent.copySnapshotTree([bind(root)], { path: '/absent', target: fresh('empty') });
    expect(readdirSync(join(directory, 'empty'))).toEqual([]);
  });

  test('when the agent dies, the next call finds a new one', async () => {
    const { pid } = await agent.info();
    const open = failure(agent.exec({ argv: ['/bin/sleep', '100'], env: {} }));
    await agent.info();
    process.kill(pid, 'SIGKILL');
    expect(isKind(await open, 'unavailable')).toBe(true);
    expect((await agent.info()).pid).not.toBe(pid);
  });
});
