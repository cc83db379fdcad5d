import type { StringMap } from './common.ts';
import type { ContainerConfig } from './container.ts';
import type { PodSandboxConfig, PodSandboxIdRequest } from './sandbox.ts';

export interface CheckpointPodRequest extends PodSandboxIdRequest {
  readonly outputPath: string;
  /** None: all that run. */
  readonly containerIds: readonly string[];
  readonly options: StringMap;
}

export interface RestorePodRequest {
  readonly checkpointPath: string;
  readonly config: PodSandboxConfig | null;
  readonly runtimeHandler: string;
  readonly options: StringMap;
  readonly containerConfigs: readonly ContainerConfig[];
}

export interface RestorePodResponse {
  readonly podSandboxId: string;
  readonly restoredContainers: readonly { readonly name: string; readonly containerId: string }[];
}
