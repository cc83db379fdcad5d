import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waiting, type DebianNode } from '../node.ts';

const profile = `#include <tunables/global>
profile berth-local flags=(attach_disconnected,mediate_deleted) {
  file, network, capability, signal, unix,
  deny /etc/forbidden w,
}`;

const own = ['cat', '/proc/self/attr/current'] as const;

/** Profiles as pods ask for them, and a node whose kernel has AppArmor while nothing can load a profile. */
export function apparmor(node: () => DebianNode): void {
  beforeAll(async () => {
    await node().run(`apparmor_parser --replace <<'END'\n${profile}\nEND`);
  });
  afterAll(async () => node().run("printf berth-local >/sys/kernel/security/apparmor/.remove"));

  describe.each(['crun', 'runc'])('AppArmor under %s', (handler) => {
    test.each([
      ['no profile', {}, 'berth-default (enforce)'],
      ['RuntimeDefault', { apparmor: { profile_type: 'RuntimeDefault' } }, 'berth-default (enforce)'],
      // Debian 13 gives OCI runtimes profiles of their own that confine nothing, and what they start keeps them.
      ['Unconfined', { apparmor: { profile_type: 'Unconfined' } }, expect.stringMatching(/^(unconfined|crun \(unconfined\)|runc \(unconfined\))$/)],
      ['Localhost', { apparmor: { profile_type: 'Localhost', localhost_ref: 'berth-local' } }, 'berth-local (enforce)'],
      ['the deprecated field', { apparmor_profile: 'localhost/berth-local' }, 'berth-local (enforce)'],
    ])('%s: the container and its execs have the profile, and it ends at SIGTERM', async (_what, security, expected) => {
      const pod = await node().pod({ handler });
      const container = await node().start(pod, waiting, { security });
      expect(await node().exec(container, ...own)).toEqual(expected);
      expect((await node().run(`cat /proc/${await node().pidOf(container)}/attr/current`)).trim()).toEqual(expected);
      await node().cri.stopContainer(container, 60);
      expect(await node().cri.containerStatus(container)).toMatchObject({ exit_code: 0, reason: 'Completed' });
      await node().removePods();
    });

    test('the default profile keeps writers away from the kernel, and a local one from what it names', async () => {
      const pod = await node().pod({ handler });
      const confined = await node().start(pod, waiting, { security: { capabilities: { add_capabilities: ['ALL'] }, readonly_paths: [] } });
      await expect(node().exec(confined, 'sh', '-c', 'echo 1 >/proc/sys/kernel/shmmax')).rejects.toThrow(/Permission denied/);
      const local = await node().start(pod, waiting, { security: { apparmor: { profile_type: 'Localhost', localhost_ref: 'berth-local' } } });
      await expect(node().exec(local, 'sh', '-c', 'echo x >/etc/forbidden')).rejects.toThrow(/Permission denied/);
      expect(await node().exec(local, 'sh', '-c', 'echo x >/etc/allowed && cat /etc/allowed')).toBe('x');
      await node().removePods();
    });

    test('a profile that is not loaded is refused by name', async () => {
      const pod = await node().pod({ handler });
      await expect(node().create(pod, waiting, { security: { apparmor: { profile_type: 'Localhost', localhost_ref: 'nonesuch' } } })).rejects.toThrow(/"nonesuch" is not loaded/);
      await node().removePods();
    });

    test('a privileged container is not confined by the default, and the mount options of the node stay', async () => {
      const options = "grep ' /sys/fs/cgroup ' /proc/self/mountinfo";
      const before = await node().run(options);
      expect(before).toContain('nsdelegate,memory_recursiveprot');
      const pod = await node().pod({ handler, security: { privileged: true } });
      const container = await node().start(pod, waiting, { security: { privileged: true } });
      expect(await node().exec(container, ...own)).not.toContain('berth-default');
      expect(await node().exec(container, 'sh', '-c', 'mkdir /sys/fs/cgroup/berth-probe && rmdir /sys/fs/cgroup/berth-probe && echo writable')).toBe('writable');
      expect(await node().run(options)).toBe(before);
      await node().removePods();
      expect(await node().run(options)).toBe(before);
    });
  });

  describe('a kernel with AppArmor on a node without its package', () => {
    beforeAll(async () => {
      await node().run('apt-get remove -y -qq apparmor >/dev/null && systemctl restart berthd');
      await node().ready();
    });
    afterAll(async () => {
      await node().run('apt-get install -y -qq apparmor >/dev/null && systemctl restart berthd');
      await node().ready();
    });

    test.each([{}, { apparmor: { profile_type: 'RuntimeDefault' } }])('%j runs unconfined', async (security) => {
      const container = await node().start(await node().pod(), waiting, { security });
      expect(await node().exec(container, ...own)).toMatch(/unconfined/);
      await node().removePods();
    });

    test('a local profile is refused, and the log says what is missing', async () => {
      await expect(node().create(await node().pod(), waiting, { security: { apparmor: { profile_type: 'Localhost', localhost_ref: 'berth-local' } } })).rejects.toThrow(/this node has no AppArmor/);
      await node().removePods();
      expect(await node().run('journalctl -u berthd -b --no-pager')).toContain('/sbin/apparmor_parser is missing; install the package apparmor');
    });
  });
}
