import type { ContainerStatus, PodStatus } from '../fixtures/cri-types.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { numbersIn } from './churn-pod.ts';

/** A pod that runs through all the crashes. */
export interface Survivor {
  readonly podId: string;
  readonly containerId: string;
  readonly pod: PodStatus;
  readonly container: ContainerStatus;
}

const script = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done';

export async function startSurvivor(node: NodeDaemon, name: string, image: string): Promise<Survivor> {
  const config = podConfig(node.scratch, name);
  const podId = await node.cri.runPod(config);
  const containerId = await node.cri.createContainer(podId, containerConfig(image, ['sh', '-c', script]), config);
  await node.cri.startContainer(containerId);
  return { podId, containerId, pod: await node.cri.podStatus(podId), container: await node.cri.containerStatus(containerId) };
}

/** What must be the same as when it was started. */
export function identity({ pod, container }: Pick<Survivor, 'pod' | 'container'>): object {
  return { podState: pod.state, ip: pod.network?.ip, podCreated: pod.created_at, state: container.state, started: container.started_at, created: container.created_at };
}

export async function look(node: NodeDaemon, survivor: Survivor): Promise<Survivor> {
  const [pod, container] = await Promise.all([node.cri.podStatus(survivor.podId), node.cri.containerStatus(survivor.containerId)]);
  return { ...survivor, pod, container };
}

/** Numbers logged so far; a lost, torn or repeated line makes them differ from 1, 2, 3, … */
export function logged(survivor: Survivor): readonly number[] {
  return numbersIn(survivor.container.log_path);
}
