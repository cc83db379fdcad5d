import { accessSync, constants, existsSync, readFileSync } from 'node:fs';

interface Requirement {
  readonly what: string;
  readonly met: () => boolean;
  readonly how: string;
}

const executable = (path: string) => (): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const requirements: readonly Requirement[] = [
  { what: 'root', met: () => process.getuid?.() === 0, how: 'run it with sudo: containers need namespaces and mounts' },
  { what: 'Linux with overlayfs', met: () => existsSync('/proc/filesystems') && readFileSync('/proc/filesystems', 'utf8').includes('overlay'), how: 'modprobe overlay' },
  { what: 'crun', met: executable('/usr/bin/crun'), how: 'apt-get install crun' },
  { what: 'CNI plugins', met: executable('/usr/lib/cni/bridge'), how: 'apt-get install containernetworking-plugins' },
  { what: 'a static busybox', met: executable('/bin/busybox'), how: 'apt-get install busybox-static' },
  { what: 'iptables', met: () => executable('/usr/sbin/iptables')() || executable('/sbin/iptables')(), how: 'apt-get install iptables' },
];

/** What is missing on this machine, each with the way to get it. */
export function missingRequirements(): readonly string[] {
  return requirements.filter(({ met }) => !met()).map(({ what, how }) => `${what} is missing: ${how}`);
}
