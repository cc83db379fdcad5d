import type { StringMap } from './common.ts';

export interface VersionResponse {
  readonly version: string;
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  readonly runtimeApiVersion: string;
}

export interface StatusRequest {
  readonly verbose: boolean;
}

export interface RuntimeCondition {
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface RuntimeHandler {
  readonly name: string;
  readonly features: { readonly recursiveReadOnlyMounts: boolean; readonly userNamespaces: boolean };
}

export interface StatusResponse {
  readonly status: { readonly conditions: readonly RuntimeCondition[] };
  readonly info: StringMap;
  readonly runtimeHandlers: readonly RuntimeHandler[];
  readonly features: { readonly supplementalGroupsPolicy: boolean; readonly userNamespacesHostNetwork: boolean; readonly mountOptions: boolean };
}

export interface RuntimeConfigResponse {
  readonly linux: { readonly cgroupDriver: number };
}

/** Numbered as the enum of the contract, where 0 is not "unset". */
export const cgroupDrivers = { systemd: 0, cgroupfs: 1 } as const;
