import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contextOption } from '../../oci/runtime-spec/selinux.ts';
import type { DnsConfig, Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { podHostname } from '../spec/pod-hostname.ts';

async function hostFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return ''; // A host without the file gives its pods an empty one.
  }
}

/** resolv.conf(5) of a DnsConfig. */
export function resolvConf({ servers, searches, options }: DnsConfig): string {
  const line = (word: string, values: readonly string[]): string => (values.length === 0 ? '' : `${word} ${values.join(' ')}\n`);
  return [line('search', searches), ...servers.map((server) => `nameserver ${server}\n`), line('options', options)].join('');
}

/** What containers may add to the pod's files, together. */
const headroomBytes = 64 << 10;
/** A page for each file is what rounding costs at most. */
const pageBytes = 4096;

/**
 * The files below /etc that all containers of the pod share, on a file system that holds little more than them: where
 * they lie otherwise, a container could fill the node's. What is written there counts as memory of who writes it.
 */
export async function writeHostFiles(parts: Pick<EngineParts, 'paths' | 'agent' | 'selinux'>, pod: Pod, signal: AbortSignal): Promise<void> {
  const { id, config } = pod;
  const [hosts, dns] = await Promise.all([hostFile('/etc/hosts'), config.dns === undefined ? hostFile('/etc/resolv.conf') : resolvConf(config.dns)]);
  const files = { hostname: `${podHostname(config)}\n`, hosts, 'resolv.conf': dns };
  const needed = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text) + pageBytes, 0);
  await mountTmpfs(parts, pod, { target: parts.paths.hostFiles(id), options: ['mode=755', `size=${needed + headroomBytes}`, 'nr_inodes=8'] }, signal);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(parts.paths.hostFiles(id), name), text, { mode: 0o644 });
}

/** The shared memory of a pod with an IPC namespace of its own. */
export async function mountShm(parts: Pick<EngineParts, 'agent' | 'config' | 'paths' | 'selinux'>, pod: Pod, signal: AbortSignal): Promise<void> {
  await mountTmpfs(parts, pod, { target: parts.paths.shm(pod.id), options: ['mode=1777', `size=${parts.config.shmSizeBytes}`] }, signal);
}

interface Tmpfs {
  readonly target: string;
  readonly options: readonly string[];
}

async function mountTmpfs({ agent, selinux }: Pick<EngineParts, 'agent' | 'selinux'>, pod: Pod, { target, options }: Tmpfs, signal: AbortSignal): Promise<void> {
  const labels = selinux.labels(pod);
  // Not what is above it: a pod that was removed meanwhile must not come back.
  mkdirSync(target);
  const context = labels === undefined ? [] : [contextOption(labels)];
  await agent.mount({ type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', ...options, ...context] }, target, signal);
}
