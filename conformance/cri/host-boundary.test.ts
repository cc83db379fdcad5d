/** What a pod must not get of the node, and what the node's other accounts must not get of a pod. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { noHoldings } from '../fixtures/leaks.ts';
import type { TomlTable } from '../fixtures/toml.ts';
import { modernRuntime, noModernRuntime } from './modern-runtime.ts';
import { CriSuite, waiting, type SuitePod } from './suite.ts';

const map = { host_id: 200_000, container_id: 0, length: 65_536 };
const users = { userns_options: { mode: 'POD', uids: [map], gids: [map] } } as const;

const worlds = [
  { name: 'the node’s user namespace', own: {}, lacking: undefined, config: async (): Promise<TomlTable> => Promise.resolve({}) },
  { name: 'a user namespace of its own', own: users, lacking: noModernRuntime, config: modernRuntime },
] as const;

for (const { name, own, lacking, config } of worlds) {
  describe.skipIf(lacking !== undefined)(`a pod in ${name}`, () => {
    let suite: CriSuite;
    beforeAll(async () => {
      suite = await CriSuite.start(await config());
    }, 300_000);
    afterEach(async () => {
      await suite.node.removePods();
      expect(await suite.node.leaks()).toEqual(noHoldings);
    });
    afterAll(async () => suite.close());

    const context = (pid: 'POD' | 'CONTAINER') => ({ namespace_options: { network: 'POD', pid, ipc: 'POD', ...own } }) as const;
    const podWith = async (pid: 'POD' | 'CONTAINER'): Promise<SuitePod> => suite.pod({ linux: { cgroup_parent: suite.node.scratch.cgroup, security_context: context(pid) } });

    test('its first process leads nobody to the node’s files, not even those who may trace', async () => {
      const linux = { security_context: { ...context('POD'), capabilities: { add_capabilities: ['SYS_PTRACE'] } } };
      const id = await suite.run(await podWith('POD'), [...waiting], { linux });
      const say = async (...command: readonly string[]): Promise<string> => (await suite.cri.execSync(id, command)).stdout.toString();
      expect(await say('cat', '/proc/1/comm')).toBe('berth-pause\n');
      expect(await say('grep', '-E', '^(CapPrm|CapEff|NoNewPrivs)', '/proc/1/status')).toBe('CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n');
      for (const path of ['/proc/1/root/', '/proc/1/root/..', '/proc/1/cwd/']) expect([path, await say('ls', '-A', path)]).toEqual([path, '']);
      expect(await say('ls', '/proc/self/root/')).toContain('proc');
    });

    test('no other account of the node gets at what it has written', async () => {
      const image = await suite.pull('written', suite.images.busybox('written', { Volumes: { '/www': {} } }));
      const pod = await podWith('CONTAINER');
      const script = 'for to in / /www/ /dev/shm/; do cp /bin/busybox "$to"x && chmod 4755 "$to"x || exit 1; done; touch /ready; exec sleep 1000';
      const id = await suite.run(pod, ['sh', '-c', script], { image: { image }, linux: { security_context: context('CONTAINER') } });
      await expect.poll(async () => (await suite.cri.execSync(id, ['ls', '/ready'])).exit_code).toBe(0);
      const { scratch, namespace } = suite.node;
      const look = (path: string, ...as: readonly string[]): string => {
        const [program, ...args] = namespace.enter(['setpriv', ...as, 'ls', path]);
        const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
        return stdout + stderr;
      };
      for (const path of [`run/containers/${id}/rootfs/x`, `state/containers/${id}/volumes/0/x`, `run/pods/${pod.id}/shm/x`].map((below) => join(scratch.dir, below))) {
        expect(look(path)).toBe(`${path}\n`);
        expect(look(path, '--reuid=65534', '--regid=65534', '--clear-groups')).toMatch(/Permission denied/);
      }
    });
  });
}
