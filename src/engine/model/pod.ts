import type { CniPortMapping, CniResult } from '../../cni/port.ts';
import type { JsonObject } from '../../lib/json-fields.ts';
import type { Phase } from '../../lib/waterfall.ts';
import type { ContainerId, PodId } from '../../lib/ids.ts';
import type { Owner } from './owner.ts';
import type { LinuxResources } from './resources.ts';
import type { SecurityContext } from './security.ts';
import type { OciNamespace } from '../../oci/runtime-spec/types.ts';

/** What NRI plugins know a pod by. */
export interface PluginIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** What a door tells CNI plugins about a pod, beside what the engine knows. */
export interface NetworkHints {
  /** CNI_ARGS. */
  readonly args: Readonly<Record<string, string>>;
  /** The CNI_ARGS name under which plugins look for the pod's id. */
  readonly idArg: string;
  /** The capability as which plugins get the pod's annotations. */
  readonly annotationsAs: string;
  /** Further capability args by name; plugins get those that they declare. */
  readonly capabilities: JsonObject;
}

/** What a client asked for. Immutable; stored with the pod. */
export interface PodConfig {
  readonly owner: Owner;
  /** No two living pods of an owner share it. */
  readonly key: string;
  /** What people call it. */
  readonly title: string;
  /** undefined: plugins hear nothing of the pod and its containers. */
  readonly plugins: PluginIdentity | undefined;
  /** The door's own facts, which are kept for it and not read here. */
  readonly door: JsonObject;
  readonly hostname: string;
  /** Empty: containers' output is discarded. */
  readonly logDirectory: string;
  /** undefined: the host's resolv.conf is copied. */
  readonly dns: DnsConfig | undefined;
  readonly networkHints: NetworkHints;
  readonly portMappings: readonly CniPortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly cgroupParent: string;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly security: SecurityContext;
  readonly overhead: LinuxResources | undefined;
  readonly resources: LinuxResources | undefined;
  /** Name of a runtime handler; empty: the default one. */
  readonly runtimeHandler: string;
}

/**
 *   creating ──▶ ready ──stop──▶ notready ──remove──▶ (gone)
 *      └──failure whose undo failed──▲
 *   A container's own begins as notready; each start takes it to creating, and a failure back.
 *
 * `creating` pods are on disk (so that a crash can be undone) but never listed.
 */
export type PodState = 'creating' | 'ready' | 'notready';

export interface Pod {
  readonly id: PodId;
  readonly config: PodConfig;
  readonly state: PodState;
  /** It is this container's own: made with it, ready while it runs, and gone with the last container in it. */
  readonly ownedBy?: ContainerId;
  readonly createdAtNs: bigint;
  /** undefined on the host network, and until CNI ADD ended. */
  readonly network: CniResult | undefined;
  /** True while a CNI DEL is owed: the network was asked for and not yet released. */
  readonly networkHeld: boolean;
  /** 0 unless the pod shares its PID namespace. */
  readonly pausePid: number;
  /** What keeps this pod's files from other pods where the node has SELinux. */
  readonly selinuxLevel?: string;
  /** Its containers are being made from a checkpoint: until all of them are whole, none of its containers starts. */
  readonly restoring?: boolean;
  /** Where the start's time went. */
  readonly waterfall: readonly Phase[];
}

/** What a pod's containers share. */
export interface PodEnvironment {
  /** The pod's own and not the node's, as files for setns(2); none once the pod is stopped. */
  readonly namespaces: readonly OciNamespace[];
  readonly hostname: string;
  /** The cgroup below which all of its processes are. */
  readonly cgroup: string;
  readonly sysctls: Readonly<Record<string, string>>;
}

/** What is not given, or is empty, leaves out nothing. */
export interface PodFilter {
  /** Id or prefix. */
  readonly id?: string;
  readonly state?: 'ready' | 'notready' | undefined;
  readonly labels?: Readonly<Record<string, string>>;
}
