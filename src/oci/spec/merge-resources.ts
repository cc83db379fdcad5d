import type { OciResources } from './types.ts';

/** What `change` names replaces what `before` says. */
export function mergeOciResources(before: OciResources, change: OciResources): OciResources {
  const sizes = new Set(change.hugepageLimits?.map(({ pageSize }) => pageSize));
  const hugepages = [...(before.hugepageLimits ?? []).filter(({ pageSize }) => !sizes.has(pageSize)), ...(change.hugepageLimits ?? [])];
  const devices = [...(before.devices ?? []), ...(change.devices ?? [])];
  const memory = { ...before.memory, ...change.memory };
  // Where swap is limited it is so together with memory, and the limit of both cannot stay below that of memory.
  if (change.memory?.limit !== undefined && change.memory.swap === undefined && before.memory?.swap !== undefined) memory.swap = change.memory.limit;
  return {
    ...before,
    ...change,
    ...(before.memory === undefined && change.memory === undefined ? {} : { memory }),
    ...(before.cpu === undefined && change.cpu === undefined ? {} : { cpu: { ...before.cpu, ...change.cpu } }),
    ...(before.unified === undefined && change.unified === undefined ? {} : { unified: { ...before.unified, ...change.unified } }),
    ...(hugepages.length === 0 ? {} : { hugepageLimits: hugepages }),
    ...(devices.length === 0 ? {} : { devices }),
  };
}
