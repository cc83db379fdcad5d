import { describe, expect, test } from 'vitest';
import { commandsOf } from '../guide.ts';
import { expectNothingMoreThan } from '../holdings.ts';
import { waiting, type DebianNode } from '../node.ts';
import { nextVersion } from '../payload.ts';

const profiles = 'cat /sys/kernel/security/apparmor/profiles 2>/dev/null || true';

/** A later package over running containers, and the ways out. `before`: what the machine had before berth came. */
export function packages(node: () => DebianNode, before: () => readonly string[]): void {
  test('an upgrade restarts the daemon alone and keeps the settings', async () => {
    const containers = [await node().start(await node().pod({ handler: 'crun' }), waiting), await node().start(await node().pod({ handler: 'runc', sharedProcesses: true }), waiting)];
    const pids = await Promise.all(containers.map(async (container) => node().pidOf(container)));
    await node().run('echo "# mine" >>/etc/berth/config.toml');
    await node().follow(`apt install ./next/berth_${nextVersion}_amd64.deb`);
    await node().ready();
    expect((await node().cri.version()).runtime_version).toBe(nextVersion);
    expect(await Promise.all(containers.map(async (container) => node().pidOf(container)))).toEqual(pids);
    for (const container of containers) expect(await node().exec(container, 'echo', 'alive')).toBe('alive');
    expect(await node().run('tail -n 1 /etc/berth/config.toml')).toBe('# mine\n');
  });

  describe('removal by INSTALL.md', () => {
    const [remove = '', purge = '', network = ''] = commandsOf('Remove');

    test('remove ends daemon and pods and leaves images, records and settings alone', async () => {
      await node().follow(remove);
      expect(await node().run('systemctl is-active berthd || true')).toBe('inactive\n');
      expect(await node().run('ls -d /usr/lib/berth /usr/libexec/berth /run/berth 2>/dev/null || true')).toBe('');
      expect(await node().run(profiles)).not.toMatch(/^berth-default /m);
      await node().run('ls /var/lib/berth /etc/berth/config.toml');
      await expectNothingMoreThan(before(), node());
    });

    test('the package comes back with what was left', async () => {
      await node().follow('apt install ./next/berth_*_amd64.deb');
      await node().ready();
      expect(await node().run('berth images')).toContain('debian.test/busybox:1');
      expect(new Set((await node().cri.listPods()).map(({ state }) => state))).toEqual(new Set(['SANDBOX_NOTREADY']));
      // Purged while a pod runs and the daemon does not.
      await node().start(await node().pod(), waiting);
      await node().run('systemctl stop berthd');
    });

    test('purge leaves nothing', async () => {
      await node().follow(purge);
      await node().follow(network);
      await expectNoTrace(node(), before());
    });
  });

  test('what make install installs runs, and INSTALL.md removes it word for word', async () => {
    const [, , start = '', remove = ''] = commandsOf('Install from source');
    await node().run('cp -a /payload/source/. /');
    await node().follow(start.replaceAll(/^make .*\n/gm, ''));
    expect(await node().run('systemctl show berthd -p FragmentPath --value; berth info')).toMatch(/^\/usr\/local\/lib\/systemd\/system\/berthd\.service\n(.*\n)*RuntimeReady +yes/);
    await node().follow(remove);
    await expectNoTrace(node(), before());
  });
}

/** Files, units, links, cgroups: nothing that has berth's name, and nothing more than the machine had before it came. */
async function expectNoTrace(node: DebianNode, before: readonly string[]): Promise<void> {
  expect(await node.run('ls -d /usr/lib/berth /run/berth /etc/berth /var/lib/berth /var/cache/berth 2>/dev/null || true')).toBe('');
  expect(await node.run('systemctl list-unit-files --no-legend "berth*" || true; ip -o link | grep berth0 || true; find /sys/fs/cgroup -type d -name "berth*"')).toBe('');
  const elsewhere = "! -path '/payload/*' ! -path '/var/log/*' ! -path '/root/*' ! -path '/var/cache/apt/*' ! -path '/proc/*'";
  expect(await node.run(`find / -xdev \\( -name 'berth*' -o -name '*berth' \\) ${elsewhere}`)).toBe('');
  await expectNothingMoreThan(before, node);
}
