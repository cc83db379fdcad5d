import { expect, test } from 'vitest';
import { commandsOf } from '../guide.ts';
import type { DebianNode } from '../node.ts';

/** A minimal machine, INSTALL.md and nothing else. */
export function installation(node: () => DebianNode): void {
  test('INSTALL.md word for word makes berthd run', async () => {
    const blocks = commandsOf('Install the package');
    for (const block of blocks.slice(0, -1)) await node().follow(block);
    await node().ready();
    const shown = await node().follow(blocks.at(-1) ?? '');
    expect(shown).toMatch(/RuntimeReady +yes/);
    expect(shown).toMatch(/NetworkReady +yes/);
  });

  test('the unit is enabled, has come up at its first try and follows systemd', async () => {
    const told = await node().run("systemctl show berthd -p ActiveState -p UnitFileState -p NRestarts -p Delegate -p Type && berth --json info | grep -o '\"cgroup_driver\": \"[a-z]*\"'");
    expect(told.trim().split('\n').toSorted()).toEqual(['"cgroup_driver": "systemd"', 'ActiveState=active', 'Delegate=yes', 'NRestarts=0', 'Type=notify', 'UnitFileState=enabled']);
  });

  test('manuals and completions are where Debian looks for them, and settings are for root alone', async () => {
    await node().run('ls /usr/share/man/man1/berth.1.gz /usr/share/man/man8/berthd.8.gz /usr/share/bash-completion/completions/berth /usr/share/zsh/vendor-completions/_berth /usr/share/fish/vendor_completions.d/berth.fish');
    expect(await node().run('stat -c %a:%U /etc/berth/config.toml; berth config check; dpkg --verify berth')).toMatch(/^600:root\n/);
  });

  test('images are imported', async () => {
    await node().run('berth import /payload/images.tar');
    expect(await node().run('berth images')).toContain('debian.test/httpd:1');
  });

  // The packages of machines change; a note on a run must say what it was.
  test('the machine tells what it is', async () => {
    const facts = await node().run("uname -r; cat /etc/debian_version; systemctl --version | head -n 1; crun --version | head -n 1; apt-get install -y -qq runc >/dev/null 2>&1; runc --version | head -n 1; dpkg-query -W -f '${Package} ${Version}\\n' apparmor containernetworking-plugins iptables");
    process.stdout.write(`${facts}`);
    await node().run('systemctl restart berthd');
    await node().ready();
  });
}
