import type { OciResources } from '../../oci/runtime-spec/types.ts';
import type { LinuxResources } from '../model/resources.ts';

/** The record of a container's resources after plugins changed the spec: what clients are shown is what holds. */
export function withOciResources(before: LinuxResources, { memory = {}, cpu = {}, hugepageLimits, unified }: OciResources): LinuxResources {
  return {
    ...before,
    cpuPeriod: cpu.period ?? before.cpuPeriod,
    cpuQuota: cpu.quota ?? before.cpuQuota,
    cpuShares: cpu.shares ?? before.cpuShares,
    cpusetCpus: cpu.cpus ?? before.cpusetCpus,
    cpusetMems: cpu.mems ?? before.cpusetMems,
    memoryLimitBytes: memory.limit ?? before.memoryLimitBytes,
    memorySwapLimitBytes: memory.swap ?? before.memorySwapLimitBytes,
    hugepageLimits: hugepageLimits?.map(({ pageSize, limit }) => ({ pageSize, limit: BigInt(limit) })) ?? before.hugepageLimits,
    unified: { ...before.unified, ...unified },
  };
}
