import { randomBytes } from 'node:crypto';
import { copyFileSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { FilesystemMount } from '../../src/agent/port.ts';

export interface Bundle {
  readonly id: string;
  readonly path: string;
  readonly rootfs: readonly FilesystemMount[];
  readonly logPath: string;
  /** The OCI process of the spec, for execs. */
  readonly process: (script: string) => unknown;
}

const applets = ['sh', 'cat', 'sleep', 'stty', 'dd', 'head', 'kill', 'pgrep', 'tr', 'true', 'yes'];

/** A root directory with busybox, to be bind-mounted as a container's rootfs. */
export function makeRoot(directory: string): string {
  for (const name of ['bin', 'proc', 'dev', 'sys', 'tmp']) mkdirSync(join(directory, name), { recursive: true });
  copyFileSync('/bin/busybox', join(directory, 'bin/busybox'));
  for (const name of applets) linkSync(join(directory, 'bin/busybox'), join(directory, 'bin', name));
  return directory;
}

function processOf(script: string, terminal: boolean): object {
  return { terminal, user: { uid: 0, gid: 0 }, args: ['/bin/sh', '-c', script], env: ['PATH=/bin'], cwd: '/', noNewPrivileges: true, capabilities: capabilities() };
}

function capabilities(): Readonly<Record<string, readonly string[]>> {
  const names = ['CAP_KILL', 'CAP_SETUID', 'CAP_SETGID'];
  return { bounding: names, effective: names, permitted: names };
}

export interface BundleOptions {
  readonly script: string;
  readonly memoryLimit?: number;
  readonly terminal?: boolean;
}

/** A bundle as the engine makes it, below DIRECTORY; its cgroup is named after the directory above that. */
export function makeBundle(directory: string, root: string, options: BundleOptions): Bundle {
  const id = randomBytes(32).toString('hex');
  const path = join(directory, id);
  mkdirSync(join(path, 'rootfs'), { recursive: true });
  const memory = options.memoryLimit === undefined ? {} : { memory: { limit: options.memoryLimit, swap: options.memoryLimit } };
  const spec = {
    ociVersion: '1.0.2',
    process: processOf(options.script, options.terminal === true),
    root: { path: 'rootfs', readonly: false },
    hostname: 'box',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'] },
    ],
    linux: {
      namespaces: ['pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type })),
      cgroupsPath: `/${basename(dirname(directory))}/${id.slice(0, 12)}`,
      resources: memory,
    },
  };
  writeFileSync(join(path, 'config.json'), JSON.stringify(spec));
  return {
    id,
    path,
    rootfs: [{ type: 'bind', source: root, options: ['rbind', 'rw'] }],
    logPath: join(path, 'container.log'),
    process: (script) => processOf(script, false),
  };
}
