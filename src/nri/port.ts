import type { OciNamespace, OciResources, OciSpec } from '../oci/runtime-spec/types.ts';

/** A pod as plugins see it. */
export interface NriPod {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
  readonly cgroupParent: string;
  readonly ips: readonly string[];
  /** 0 where no process holds the pod's namespaces. */
  readonly pid: number;
  readonly namespaces: readonly OciNamespace[];
  readonly overhead: OciResources | undefined;
  readonly resources: OciResources | undefined;
}

/** A container as plugins see it. */
export interface NriContainer {
  readonly id: string;
  readonly podId: string;
  readonly name: string;
  readonly state: 'created' | 'running' | 'exited' | 'unknown';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** 0 unless it runs. */
  readonly pid: number;
  readonly createdAtNs: bigint;
  /** 0 before the start. */
  readonly startedAtNs: bigint;
  /** undefined until it has ended. */
  readonly exit: { readonly exitCode: number; readonly finishedAtNs: bigint; readonly reason: string; readonly message: string } | undefined;
  readonly image: { readonly name: string; readonly digest: string; readonly configDigest: string };
  readonly seccomp: { readonly type: 'runtime-default' | 'unconfined' | 'localhost'; readonly localhostRef: string } | undefined;
  /** undefined when its bundle is gone. */
  readonly spec: OciSpec | undefined;
}

/** The object of an event. */
export interface NriSubject {
  readonly pod: NriPod;
  readonly container: NriContainer;
}

/** A container that is being made, whose spec plugins may change. */
export interface NriCreation extends NriSubject {
  readonly spec: OciSpec;
}

/** What plugins made of a container. */
export interface NriAdjusted {
  readonly spec: OciSpec;
  /** Names of CDI devices that the spec lacks yet. */
  readonly cdiDevices: readonly string[];
}

export type PodEvent = 'run' | 'stop' | 'remove' | 'post-update';
export type ContainerEvent = 'post-create' | 'start' | 'post-start' | 'post-update' | 'remove';

/** What plugins need of the engine. */
export interface NriHost {
  /** Every pod that a plugin which joins now must be told of. The answer must not be late: events come after it. */
  pods(): readonly NriPod[];
  /** Likewise for containers; those that have ended are left out. */
  containers(): readonly NriContainer[];
  /** Changes a container's resources; an unknown id is success. */
  update(containerId: string, resources: OciResources): Promise<void>;
  /** Begins to stop a container at a plugin's wish; an unknown id is success. */
  evict(containerId: string, reason: string): Promise<void>;
}

/**
 * Plugins that take part in the lives of pods and containers (NRI). Each call goes to those that subscribed, in the order
 * of their indices. A plugin that answers with an error makes the call reject, naming it: at once where the call asks whether
 * something may happen, else when all have been told. One that does not answer in time, or is gone, is disconnected, and the
 * call goes on without it.
 */
export interface Nri {
  /** False while there is no plugin; no call is needed then. */
  readonly active: boolean;
  /** Lets plugins connect from now on. */
  open(host: NriHost): Promise<void>;
  podEvent(event: PodEvent, pod: NriPod, signal: AbortSignal): Promise<void>;
  updatePod(pod: NriPod, update: { readonly overhead: OciResources | undefined; readonly resources: OciResources | undefined }, signal: AbortSignal): Promise<void>;
  /** What plugins make of the container; fails when two of them want the same or one of them rejects the result. */
  createContainer(creation: NriCreation, signal: AbortSignal): Promise<NriAdjusted>;
  containerEvent(event: ContainerEvent, subject: NriSubject, signal: AbortSignal): Promise<void>;
  /** What is asked with all that plugins changed of it. */
  updateContainer(subject: NriSubject, asked: OciResources, signal: AbortSignal): Promise<OciResources>;
  stopContainer(subject: NriSubject, signal: AbortSignal): Promise<void>;
}
