import { buildPeers, whyNotBuildable } from '../../peers/build.ts';
import { Cluster, clusterPeers } from '../cluster.ts';
import { remainsOf } from '../remains.ts';

const unbuildable = whyNotBuildable();
if (unbuildable !== undefined) console.log(`skipping the long cluster suite: ${unbuildable}`);

/** Whether this machine cannot build a cluster; said once where it is so. */
export const noCluster = unbuildable !== undefined;

/** Hooks that build the programs take as long as a cold build does, in milliseconds. */
export const buildTimeoutMs = 1_800_000;

/** A cluster whose programs are built when they are missing. */
export async function startCluster(): Promise<Cluster> {
  await buildPeers(clusterPeers);
  return Cluster.start();
}

/** Takes it down. @throws Error that says what it left on the machine. */
export async function endCluster(cluster: Cluster | undefined): Promise<void> {
  if (cluster === undefined) return;
  await cluster.close();
  const remains = remainsOf(cluster.traces);
  if (remains.length > 0) throw new Error(`the cluster left on the machine:\n${remains.join('\n')}`);
}

/** What the suites read of a pod. */
export interface PodStatus {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly started?: boolean;
  readonly restartCount: number;
  readonly containerID?: string;
  readonly state: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: { readonly startedAt: string };
    readonly terminated?: { readonly exitCode: number; readonly reason?: string };
  };
  readonly lastState: { readonly terminated?: { readonly exitCode: number; readonly reason?: string } };
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
}

export const isReady = ({ status }: PodStatus): boolean => status.conditions?.some(({ type, status: met }) => type === 'Ready' && met === 'True') ?? false;

/** The status of the container `name`, of whatever kind. */
export function containerOf({ status }: PodStatus, name: string): ContainerStatus | undefined {
  const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? []), ...(status.ephemeralContainerStatuses ?? [])];
  return all.find((container) => container.name === name);
}
