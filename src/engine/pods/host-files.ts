import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { contextOption } from '../../oci/spec/selinux.ts';
import type { DnsConfig, Pod } from '../model/pod.ts';
import type { EngineParts } from '../parts.ts';
import { relabel } from '../selinux/relabel.ts';
import { podHostname } from './pod-hostname.ts';

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

/** The files below /etc that all containers of the pod share. */
export async function writeHostFiles({ paths, agent, selinux }: Pick<EngineParts, 'paths' | 'agent' | 'selinux'>, pod: Pod, signal: AbortSignal): Promise<void> {
  const { id, config } = pod;
  const [hosts, dns] = await Promise.all([hostFile('/etc/hosts'), config.dns === undefined ? hostFile('/etc/resolv.conf') : resolvConf(config.dns)]);
  const write = (name: Parameters<typeof paths.podFile>[1], text: string): void => {
    writeFileSync(paths.podFile(id, name), text, { mode: 0o644 });
  };
  write('hostname', `${podHostname(config)}\n`);
  write('hosts', hosts);
  write('resolv.conf', dns);
  const labels = selinux.labels(pod);
  if (labels !== undefined) await relabel(agent, labels, (['hostname', 'hosts', 'resolv.conf'] as const).map((name) => paths.podFile(id, name)), signal);
}

/** The shared memory of a pod with an IPC namespace of its own. */
export async function mountShm({ agent, config, paths, selinux }: Pick<EngineParts, 'agent' | 'config' | 'paths' | 'selinux'>, pod: Pod, signal: AbortSignal): Promise<void> {
  const target = paths.shm(pod.id);
  const labels = selinux.labels(pod);
  mkdirSync(target, { recursive: true });
  const options = ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${config.shmSizeBytes}`, ...(labels === undefined ? [] : [contextOption(labels)])];
  await agent.mount({ type: 'tmpfs', source: 'shm', options }, target, signal);
}
