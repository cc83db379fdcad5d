/** Limits of a container's cgroup. undefined: leave as it is (CRI sends 0 for that). Bytes, microseconds. */
export interface LinuxResources {
  readonly cpuPeriod: number | undefined;
  readonly cpuQuota: number | undefined;
  readonly cpuShares: number | undefined;
  readonly cpusetCpus: string | undefined;
  readonly cpusetMems: string | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly memorySwapLimitBytes: number | undefined;
  readonly oomScoreAdj: number | undefined;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limit: bigint }[];
  /** cgroup v2 files by name. */
  readonly unified: Readonly<Record<string, string>>;
}
