import type { Container, ContainerConfig } from './container.ts';
import type { Pod, PodConfig } from './pod.ts';

/** Annotations that an archive's spec is given beside its own, for who reads it later. */
export type ArchiveNotes = (container: Container, pod: Pod) => Readonly<Record<string, string>>;

export interface CheckpointRequest {
  readonly containerId: string;
  /** Absolute path of the archive; its directory exists, and a file of that name is replaced. */
  readonly location: string;
  /** undefined: as long as the caller waits. */
  readonly timeoutMs: number | undefined;
  readonly notes: ArchiveNotes;
}

export interface PodCheckpointRequest {
  readonly podId: string;
  /** Absolute; made if absent, else it must be empty. Nothing is written anywhere else. */
  readonly directory: string;
  /** None: all that run; paused ones are left out. */
  readonly containerIds: readonly string[];
  readonly notes: ArchiveNotes;
}

export interface RestoreRequest {
  /** What CheckpointPod wrote; it is only read. */
  readonly directory: string;
  readonly config: PodConfig;
  /** One for each container of the checkpoint, by name. */
  readonly containers: readonly ContainerConfig[];
}

export interface RestoredPod {
  readonly pod: Pod;
  readonly containers: readonly Container[];
}
