import type { ContainerFilter } from '../../engine/model/container.ts';
import type { PodFilter } from '../../engine/model/pod.ts';
import { containerStates, type ContainerFilter as WireContainerFilter } from '../messages/container.ts';
import { sandboxStates, type PodSandboxFilter } from '../messages/sandbox.ts';
import type { ContainerStatsFilter, PodSandboxStatsFilter } from '../messages/stats.ts';
import { pick } from './pick.ts';

/** A state is wrapped in a message, since its zero would mean READY and not "any". */
export function decodePodFilter(filter: PodSandboxFilter | null): PodFilter {
  const state = filter?.state ?? null;
  return { id: filter?.id ?? '', state: state === null ? undefined : pick(sandboxStates, state.state, 'filter.state'), labels: filter?.labelSelector ?? {} };
}

export function decodePodStatsFilter(filter: PodSandboxStatsFilter | null): PodFilter {
  return { id: filter?.id ?? '', labels: filter?.labelSelector ?? {} };
}

export function decodeContainerFilter(filter: WireContainerFilter | null): ContainerFilter {
  const state = filter?.state ?? null;
  return {
    id: filter?.id ?? '',
    podId: filter?.podSandboxId ?? '',
    state: state === null ? undefined : pick(containerStates, state.state, 'filter.state'),
    labels: filter?.labelSelector ?? {},
  };
}

export function decodeContainerStatsFilter(filter: ContainerStatsFilter | null): ContainerFilter {
  return { id: filter?.id ?? '', podId: filter?.podSandboxId ?? '', state: 'running', labels: filter?.labelSelector ?? {} };
}
