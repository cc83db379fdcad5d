import type { CriClient, Message } from '../../src/cli/cri-client.ts';
import { cgroup } from './machine.ts';

export const podConfig = (scratch: string): object => ({
  metadata: { name: 'demo', namespace: 'default', uid: 'demo-1', attempt: 0 },
  hostname: 'demo',
  log_directory: `${scratch}/logs`,
  linux: { cgroup_parent: `/${cgroup}`, security_context: { namespace_options: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } } },
});

export const containerConfig = (image: string): object => ({
  metadata: { name: 'hello', attempt: 0 },
  image: { image },
  command: ['/bin/sh', '-c', 'echo "started as $(hostname)"; exec httpd -f -v -p 80 -h /www'],
  log_path: 'hello.log',
  linux: {
    resources: { memory_limit_in_bytes: String(64 << 20), cpu_shares: '512' },
    security_context: { namespace_options: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' }, seccomp: { profile_type: 'RuntimeDefault' } },
  },
});

export interface RunningPod {
  readonly pod: string;
  readonly container: string;
}

const word = (message: Message, name: string): string => String(message[name]);

/** RunPodSandbox, CreateContainer and StartContainer, as the kubelet would call them. */
export async function startPod(cri: CriClient, scratch: string, image: string): Promise<RunningPod> {
  const sandbox = podConfig(scratch);
  const pod = word(await cri.call('RunPodSandbox', { config: sandbox }), 'pod_sandbox_id');
  const container = word(await cri.call('CreateContainer', { pod_sandbox_id: pod, config: containerConfig(image), sandbox_config: sandbox }), 'container_id');
  await cri.call('StartContainer', { container_id: container });
  return { pod, container };
}

export async function removePods(cri: CriClient): Promise<void> {
  const pods = (await cri.call('ListPodSandbox'))['items'] as readonly Message[];
  for (const pod of pods) {
    await cri.call('StopPodSandbox', { pod_sandbox_id: pod['id'] });
    await cri.call('RemovePodSandbox', { pod_sandbox_id: pod['id'] });
  }
}
