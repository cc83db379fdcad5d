import type { OciMemory, OciResources } from './types.ts';

/** What `change` names replaces what `before` says; device rules add up. */
export function mergeOciResources(before: OciResources, change: OciResources): OciResources {
  const sizes = new Set(change.hugepageLimits?.map(({ pageSize }) => pageSize));
  const hugepages = [...(before.hugepageLimits ?? []).filter(({ pageSize }) => !sizes.has(pageSize)), ...(change.hugepageLimits ?? [])];
  const devices = [...(before.devices ?? []), ...(change.devices ?? [])];
  return {
    ...before,
    ...change,
    ...(before.memory === undefined && change.memory === undefined ? {} : { memory: mergeMemory(before.memory ?? {}, change.memory ?? {}) }),
    ...(before.cpu === undefined && change.cpu === undefined ? {} : { cpu: { ...before.cpu, ...change.cpu } }),
    ...(before.unified === undefined && change.unified === undefined ? {} : { unified: { ...before.unified, ...change.unified } }),
    ...(hugepages.length === 0 ? {} : { hugepageLimits: hugepages }),
    ...(devices.length === 0 ? {} : { devices }),
  };
}

/**
 * The limit of swap is one of memory and swap together: equal to that of memory it means no swap, which a new limit of memory
 * must not change, and it cannot stay below that. -1 is none.
 */
function mergeMemory(before: OciMemory, change: OciMemory): OciMemory {
  const merged = { ...before, ...change };
  if (change.limit === undefined || change.swap !== undefined || before.swap === undefined) return merged;
  const follows = before.swap === before.limit || isBelow(before.swap, change.limit);
  return follows ? { ...merged, swap: change.limit } : merged;
}

/** Of limits, of which any negative one is none at all. */
function isBelow(limit: number, other: number): boolean {
  return limit >= 0 && (other < 0 || limit < other);
}
