import type { HostFacts, ResourceInput, SpecInput } from './input.ts';
import type { OciDeviceRule, OciResources } from './types.ts';

type Defined<Shape> = { -readonly [Key in keyof Shape]?: Exclude<Shape[Key], undefined> };

/** Drops keys whose value is undefined, so that absent stays absent in JSON. */
function compact<Shape extends object>(shape: Shape): Defined<Shape> {
  return Object.fromEntries(Object.entries(shape).filter(([, value]) => value !== undefined)) as Defined<Shape>;
}

/** Of cgroup version 2. A kubelet that lets a container swap names it, and its word goes before what we would derive. */
export const swapFile = 'memory.swap.max';

function memory(input: ResourceInput, host: HostFacts): { limit?: number; swap?: number } {
  // A limit without a swap limit would leave swap unbounded: the limit then holds for both, so none is used.
  const swap = input.memorySwapLimitBytes ?? (swapFile in input.unified ? undefined : input.memoryLimitBytes);
  return compact({ limit: input.memoryLimitBytes, swap: host.swapControl ? swap : undefined });
}

/** CRI limits → OCI `linux.resources`. What the host has no controller for is left out, as the kubelet expects. */
export function ociResources(input: ResourceInput, host: HostFacts): OciResources {
  const hugepages = host.hugetlbControl
    ? input.hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit: Number(limit) }))
    : [];
  return {
    memory: memory(input, host),
    cpu: compact({
      shares: input.cpuShares,
      quota: input.cpuQuota,
      period: input.cpuPeriod,
      cpus: input.cpusetCpus,
      mems: input.cpusetMems,
    }),
    ...(hugepages.length > 0 ? { hugepageLimits: hugepages } : {}),
    ...(host.cgroupVersion === 2 && Object.keys(input.unified).length > 0 ? { unified: input.unified } : {}),
  };
}

const allowed = (type: string, major: number, minor: number | undefined, access: string): OciDeviceRule => ({
  allow: true,
  type,
  major,
  ...(minor === undefined ? {} : { minor }),
  access,
});

/** Whoever may make tunnels may open /dev/net/tun, whatever the OCI runtime thinks: no manifest asks for it by a device. */
const tunnels = (capabilities: readonly string[]): readonly OciDeviceRule[] => (capabilities.includes('CAP_NET_ADMIN') ? [allowed('c', 10, 200, 'rwm')] : []);

/** The device cgroup: deny all, then what every container needs, then what it asked for. */
export function deviceRules({ security: { privileged }, devices }: Pick<SpecInput, 'security' | 'devices'>, capabilities: readonly string[]): readonly OciDeviceRule[] {
  if (privileged) return [{ allow: true, access: 'rwm' }];
  return [
    { allow: false, access: 'rwm' },
    ...[3, 5, 7, 8, 9].map((minor) => allowed('c', 1, minor, 'rwm')), // null zero full random urandom
    allowed('c', 5, 0, 'rwm'), // tty
    allowed('c', 5, 1, 'rwm'), // console
    allowed('c', 5, 2, 'rwm'), // ptmx
    allowed('c', 136, undefined, 'rwm'), // pts
    ...tunnels(capabilities),
    ...devices.map(({ device, access }) => allowed(device.type, device.major, device.minor, access)),
  ];
}

/** What a container gets that asks for none. crun takes 0 for "leave it", and would leave it the score that protects the daemon. */
const unaskedOomScoreAdj = 1;

/** Lowering the score below our own needs CAP_SYS_RESOURCE; without it the lowest we may give is our own. */
export function oomScoreAdj(wanted: number | undefined, host: HostFacts): number {
  return Math.max(wanted ?? unaskedOomScoreAdj, host.minOomScoreAdj);
}
