import type { CriContract } from './contract.ts';
import type { Door, Routes } from './handler.ts';
import { attach } from './rpc/attach.ts';
import { checkpointContainer } from './rpc/checkpoint-container.ts';
import { checkpointPod } from './rpc/checkpoint-pod.ts';
import { containerStats } from './rpc/container-stats.ts';
import { containerStatus } from './rpc/container-status.ts';
import { createContainer } from './rpc/create-container.ts';
import { exec } from './rpc/exec.ts';
import { execSync } from './rpc/exec-sync.ts';
import { getContainerEvents } from './rpc/get-container-events.ts';
import { listContainerStats } from './rpc/list-container-stats.ts';
import { listContainers } from './rpc/list-containers.ts';
import { listMetricDescriptors } from './rpc/list-metric-descriptors.ts';
import { listPodSandboxMetrics } from './rpc/list-pod-sandbox-metrics.ts';
import { listPodSandboxStats } from './rpc/list-pod-sandbox-stats.ts';
import { listPodSandbox } from './rpc/list-pod-sandbox.ts';
import { podSandboxStats } from './rpc/pod-sandbox-stats.ts';
import { podSandboxStatus } from './rpc/pod-sandbox-status.ts';
import { portForward } from './rpc/port-forward.ts';
import { removeContainer } from './rpc/remove-container.ts';
import { removePodSandbox } from './rpc/remove-pod-sandbox.ts';
import { reopenContainerLog } from './rpc/reopen-container-log.ts';
import { restorePod } from './rpc/restore-pod.ts';
import { runPodSandbox } from './rpc/run-pod-sandbox.ts';
import { runtimeConfig } from './rpc/runtime-config.ts';
import { startContainer } from './rpc/start-container.ts';
import { status } from './rpc/status.ts';
import { stopContainer } from './rpc/stop-container.ts';
import { stopPodSandbox } from './rpc/stop-pod-sandbox.ts';
import { streamContainerStats } from './rpc/stream-container-stats.ts';
import { streamContainers } from './rpc/stream-containers.ts';
import { streamPodSandboxMetrics } from './rpc/stream-pod-sandbox-metrics.ts';
import { streamPodSandboxStats } from './rpc/stream-pod-sandbox-stats.ts';
import { streamPodSandboxes } from './rpc/stream-pod-sandboxes.ts';
import { updateContainerResources } from './rpc/update-container-resources.ts';
import { updatePodSandboxResources } from './rpc/update-pod-sandbox-resources.ts';
import { updateRuntimeConfig } from './rpc/update-runtime-config.ts';
import { version } from './rpc/version.ts';

/** Every RPC of RuntimeService. `closing` ends the streams that otherwise would not end. */
export function runtimeRoutes(door: Door, contract: CriContract, closing: AbortSignal): Routes {
  return {
    unary: {
      Version: version(door),
      RunPodSandbox: runPodSandbox(door),
      StopPodSandbox: stopPodSandbox(door),
      RemovePodSandbox: removePodSandbox(door),
      PodSandboxStatus: podSandboxStatus(door),
      ListPodSandbox: listPodSandbox(door),
      CreateContainer: createContainer(door),
      StartContainer: startContainer(door),
      StopContainer: stopContainer(door),
      RemoveContainer: removeContainer(door),
      ListContainers: listContainers(door),
      ContainerStatus: containerStatus(door),
      UpdateContainerResources: updateContainerResources(door),
      ReopenContainerLog: reopenContainerLog(door),
      ExecSync: execSync(door),
      Exec: exec(door),
      Attach: attach(door),
      PortForward: portForward(door),
      ContainerStats: containerStats(door),
      ListContainerStats: listContainerStats(door),
      PodSandboxStats: podSandboxStats(door),
      ListPodSandboxStats: listPodSandboxStats(door),
      UpdateRuntimeConfig: updateRuntimeConfig(),
      Status: status(door),
      CheckpointContainer: checkpointContainer(door),
      CheckpointPod: checkpointPod(door),
      RestorePod: restorePod(door),
      ListMetricDescriptors: listMetricDescriptors(),
      ListPodSandboxMetrics: listPodSandboxMetrics(door),
      RuntimeConfig: runtimeConfig(door),
      UpdatePodSandboxResources: updatePodSandboxResources(door),
    },
    streaming: {
      StreamPodSandboxes: streamPodSandboxes(door, contract),
      StreamContainers: streamContainers(door, contract),
      StreamContainerStats: streamContainerStats(door, contract),
      StreamPodSandboxStats: streamPodSandboxStats(door, contract),
      StreamPodSandboxMetrics: streamPodSandboxMetrics(door, contract),
      GetContainerEvents: getContainerEvents(door, closing),
    },
  };
}
