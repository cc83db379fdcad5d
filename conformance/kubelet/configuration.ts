import { join } from 'node:path';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';

export const nodeName = 'n1';

/** Directories that every kubelet writes to, whatever its root directory is. */
export const fixedPaths = ['/var/lib/kubelet', '/var/log/containers', '/var/log/pods'];

/** Cgroups that the kubelet makes in the hierarchies that it knows, and runtimes in the others; neither removes them. */
export const fixedCgroups = ['', 'kubepods', 'kubepods/besteffort', 'kubepods/burstable'];

export interface KubeletPlace {
  readonly node: NodeDaemon;
  readonly directory: string;
  readonly port: number;
}

/** What a kubelet on a test node needs, whoever gives it its pods. */
export function commonConfiguration({ node, directory, port }: KubeletPlace): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${node.socket}`,
    podLogsDir: join(directory, 'logs'),
    volumePluginDir: join(directory, 'plugins'),
    cgroupRoot: node.scratch.cgroup,
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    port,
    readOnlyPort: 0,
    healthzPort: 0,
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    enableServer: true,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    // Shorter than the back-off, or nobody would see a container wait for it.
    syncFrequency: '1s',
    // The default keeps a crashing container waiting for up to five minutes.
    crashLoopBackOff: { maxContainerRestartPeriod: '4s' },
    evictionHard: { 'nodefs.available': '1Mi' },
  };
}
