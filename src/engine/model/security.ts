import type { IdMapping } from '../../oci/id-mapping.ts';

/** `pod`: shared within the pod; `node`: the host's; `container`: its own; `target`: another container's. */
export type NamespaceMode = 'pod' | 'container' | 'node' | 'target';

export interface UserNamespace {
  readonly mode: NamespaceMode;
  readonly uidMappings: readonly IdMapping[];
  readonly gidMappings: readonly IdMapping[];
}

export interface NamespaceOptions {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  /** Container whose PID namespace is joined when `pid` is `target`. */
  readonly targetId: string;
  /** undefined: the host's user namespace. */
  readonly user: UserNamespace | undefined;
}

export type ProfileType = 'runtime-default' | 'unconfined' | 'localhost';

/** A seccomp or AppArmor choice. Absent (undefined) means something else for each, see CRI. */
export interface SecurityProfile {
  readonly type: ProfileType;
  readonly localhostRef: string;
}

export interface SelinuxOptions {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

export interface Capabilities {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  readonly addAmbient: readonly string[];
}

export interface SecurityContext {
  readonly namespaces: NamespaceOptions;
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  readonly noNewPrivileges: boolean;
  /** uid, or undefined when the request leaves it to the image. */
  readonly runAsUser: number | undefined;
  readonly runAsUsername: string;
  readonly runAsGroup: number | undefined;
  readonly supplementalGroups: readonly number[];
  readonly supplementalGroupsPolicy: 'merge' | 'strict';
  /** undefined: the default set. */
  readonly capabilities: Capabilities | undefined;
  readonly seccomp: SecurityProfile | undefined;
  readonly apparmor: SecurityProfile | undefined;
  readonly selinux: SelinuxOptions | undefined;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
}
