import type { OciHook, OciHookName, OciIntelRdt } from '../../oci/runtime-spec/types.ts';

/** What a device changes in a container; every list may be empty. Field names are the CDI specification's. */
export interface ContainerEdits {
  readonly env: readonly string[];
  readonly deviceNodes: readonly CdiDeviceNode[];
  readonly mounts: readonly CdiMount[];
  readonly hooks: readonly { readonly name: OciHookName; readonly hook: OciHook }[];
  readonly additionalGids: readonly number[];
  readonly intelRdt: OciIntelRdt | undefined;
  readonly netDevices: readonly { readonly hostInterfaceName: string; readonly name: string }[];
}

/** undefined: as the device at `hostPath` says. */
export interface CdiDeviceNode {
  readonly path: string;
  readonly hostPath: string;
  readonly type: 'c' | 'b' | 'u' | 'p' | undefined;
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly fileMode: number | undefined;
  /** Of `rwm`; empty: the node is there and cannot be opened. */
  readonly permissions: string;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** One file of devices of one kind. */
export interface CdiSpecFile {
  readonly path: string;
  /** `vendor.example/class`. */
  readonly kind: string;
  /** Made for any of the devices, before the device's own. */
  readonly edits: ContainerEdits;
  readonly devices: ReadonlyMap<string, ContainerEdits>;
}
