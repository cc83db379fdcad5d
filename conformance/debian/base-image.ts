import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The Debian releases that berth is shown on, by their code names. */
export const releases = ['bookworm', 'trixie'] as const;
export type Release = (typeof releases)[number];

/** What a machine is started from; never written to. */
export interface BaseImage {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly sshKey: string;
}

const checkout = join(import.meta.dirname, '../..');
/** Where images are kept from run to run. */
export const cache = join(checkout, 'build/debian');

/** A minimal Debian that boots, gets an address and takes ssh. Nothing that berth needs is in it. */
const minimal = ['systemd', 'systemd-sysv', 'dbus', 'udev', 'kmod', 'ca-certificates', 'procps', 'iproute2', 'util-linux', 'login', 'libpam-systemd', 'linux-image-amd64', 'initramfs-tools', 'zstd', 'openssh-server'];

const settings: Readonly<Record<string, string>> = {
  'etc/fstab': '/dev/vda / ext4 defaults 0 1\nLABEL=payload /payload ext4 ro 0 0\n',
  'etc/systemd/network/10.network': '[Match]\nName=en*\n[Network]\nDHCP=ipv4\n',
  // Devices and units may take long to start without KVM; the time that units have to stop is as it is, for it is looked at.
  'etc/systemd/system.conf.d/patience.conf': '[Manager]\nDefaultTimeoutStartSec=15min\nDefaultDeviceTimeoutSec=15min\n',
  // An empty one is made at the first boot.
  'etc/machine-id': '',
  // The machine has no way to the package mirror: what apt may be asked for is in its cache, and apt must not empty it.
  'etc/apt/apt.conf.d/99keep': 'APT::Keep-Downloaded-Packages "true";\n',
};

function run(program: string, args: readonly string[]): string {
  return execFileSync('nice', ['-n', '10', program, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' } });
}

/** The mirror that this machine itself has its packages from. */
function mirror(): string {
  const [first] = run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Component: main', 'Origin: Debian']).split('\n');
  if (first === undefined || first === '') throw new Error('apt knows no mirror of Debian: apt-get update');
  return first;
}

/** Settings, the key that opens the machine, and the packages that installing berth will ask for, downloaded alone. */
export function furnish(root: string, packageFile: string, sshKey: string): void {
  for (const [path, content] of Object.entries(settings)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  for (const directory of ['payload', 'root/.ssh']) mkdirSync(join(root, directory), { recursive: true });
  copyFileSync(`${sshKey}.pub`, join(root, 'root/.ssh/authorized_keys'));
  writeFileSync(join(root, 'etc/hostname'), 'node\n');
  appendFileSync(join(root, 'etc/hosts'), '127.0.1.1 node\n');
  run('chroot', [root, 'systemctl', 'enable', '--quiet', 'systemd-networkd', 'ssh', 'serial-getty@ttyS0']);
  // Without a network they fail, and hold apt's lock until then.
  run('chroot', [root, 'systemctl', 'mask', '--quiet', 'apt-daily.timer', 'apt-daily-upgrade.timer']);
  copyFileSync(packageFile, join(root, 'tmp/berth.deb'));
  run('chroot', [root, 'apt-get', 'update', '-qq']);
  for (const wanted of ['/tmp/berth.deb', 'runc']) run('chroot', [root, 'apt-get', 'install', '-y', '-qq', '--download-only', wanted]);
  rmSync(join(root, 'tmp/berth.deb'));
}

/** Makes the files of a base image from an unpacked root, without a loop device. */
export function toImage(root: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  copyFileSync(onlyOne(join(root, 'boot/vmlinuz-*')), join(directory, 'vmlinuz'));
  copyFileSync(onlyOne(join(root, 'boot/initrd.img-*')), join(directory, 'initrd'));
  run('mkfs.ext4', ['-q', '-F', '-d', root, '-L', 'root', join(directory, 'disk.img'), '8G']);
}

function onlyOne(pattern: string): string {
  const [found] = globSync(pattern);
  if (found === undefined) throw new Error(`debootstrap left no ${pattern}`);
  return found;
}

function makeKey(): string {
  const key = join(cache, 'ssh-key');
  if (!existsSync(key)) run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  chmodSync(key, 0o600);
  return key;
}

/** Where the image of a release is kept; another place whenever an older one would not do any more. */
export function imageDirectory(release: Release): string {
  const needs = readFileSync(join(checkout, 'deploy/debian/control'), 'utf8').match(/^(Depends|Recommends):.*$/gm);
  const recipe = createHash('sha256').update(JSON.stringify([minimal, settings, needs])).digest('hex').slice(0, 12);
  return join(cache, `${release}-${recipe}.image`);
}

function build(release: Release, packageFile: string, target: string): void {
  process.stdout.write(`making a minimal Debian ${release}, which takes minutes and is done once\n`);
  const work = mkdtempSync(join(cache, `${release}-`));
  try {
    const root = join(work, 'root');
    run('debootstrap', ['--variant=minbase', `--include=${minimal.join(',')}`, release, root, mirror()]);
    furnish(root, packageFile, makeKey());
    toImage(root, join(work, 'image'));
    renameSync(join(work, 'image'), target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The base image of a release, from the cache if it is there. `packageFile` is what the machine must be able to install offline. */
export function baseImage(release: Release, packageFile: string): BaseImage {
  mkdirSync(cache, { recursive: true });
  const directory = imageDirectory(release);
  if (!existsSync(directory)) build(release, packageFile, directory);
  return { disk: join(directory, 'disk.img'), kernel: join(directory, 'vmlinuz'), initrd: join(directory, 'initrd'), sshKey: makeKey() };
}
