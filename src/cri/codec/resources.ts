import type { LinuxResources } from '../../engine/model/resources.ts';
import type { LinuxContainerResources } from '../messages/common.ts';

/** The largest number below 2^63, to which the largest of 64 bits would be rounded up, and be out of range for OCI runtimes. */
const largest = 2 ** 63 - 1024;

/** In CRI 0 stands for "leave as it is". */
const setNumber = (value: bigint): number | undefined => (value === 0n ? undefined : Math.min(Number(value), largest));
const setText = (value: string): string | undefined => (value === '' ? undefined : value);

const none: LinuxResources = {
  cpuPeriod: undefined,
  cpuQuota: undefined,
  cpuShares: undefined,
  cpusetCpus: undefined,
  cpusetMems: undefined,
  memoryLimitBytes: undefined,
  memorySwapLimitBytes: undefined,
  oomScoreAdj: undefined,
  hugepageLimits: [],
  unified: {},
};

export function decodeResources(resources: LinuxContainerResources | null): LinuxResources {
  if (resources === null) return none;
  return {
    cpuPeriod: setNumber(resources.cpuPeriod),
    cpuQuota: setNumber(resources.cpuQuota),
    cpuShares: setNumber(resources.cpuShares),
    cpusetCpus: setText(resources.cpusetCpus),
    cpusetMems: setText(resources.cpusetMems),
    memoryLimitBytes: setNumber(resources.memoryLimitInBytes),
    memorySwapLimitBytes: setNumber(resources.memorySwapLimitInBytes),
    oomScoreAdj: setNumber(resources.oomScoreAdj),
    hugepageLimits: resources.hugepageLimits,
    unified: resources.unified,
  };
}

export function decodeOptionalResources(resources: LinuxContainerResources | null): LinuxResources | undefined {
  return resources === null ? undefined : decodeResources(resources);
}

export function encodeResources(resources: LinuxResources): LinuxContainerResources {
  return {
    cpuPeriod: BigInt(resources.cpuPeriod ?? 0),
    cpuQuota: BigInt(resources.cpuQuota ?? 0),
    cpuShares: BigInt(resources.cpuShares ?? 0),
    memoryLimitInBytes: BigInt(resources.memoryLimitBytes ?? 0),
    oomScoreAdj: BigInt(resources.oomScoreAdj ?? 0),
    cpusetCpus: resources.cpusetCpus ?? '',
    cpusetMems: resources.cpusetMems ?? '',
    hugepageLimits: resources.hugepageLimits,
    unified: resources.unified,
    memorySwapLimitInBytes: BigInt(resources.memorySwapLimitBytes ?? 0),
  };
}

export function encodeOptionalResources(resources: LinuxResources | undefined): LinuxContainerResources | null {
  return resources === undefined ? null : encodeResources(resources);
}
