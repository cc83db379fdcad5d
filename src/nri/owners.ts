import { BerthError } from '../lib/errors.ts';
import type { CpuMessage, MemoryMessage, OwnersMessage, ResourcesMessage } from './messages.ts';

/** proto's Field, which names what can belong to one plugin, in order from 1. */
export const fields = [
  'annotation', 'mount', 'OCI hooks', 'device', 'CDI device', 'environment variable', 'args',
  'memory limit', 'memory reservation', 'memory swap limit', 'kernel memory limit', 'TCP memory limit', 'memory swappiness', 'disabling of the OOM killer', 'memory hierarchy',
  'CPU shares', 'CPU quota', 'CPU period', 'CPU realtime runtime', 'CPU realtime period', 'cpuset CPUs', 'cpuset memory nodes',
  'pids limit', 'hugepage limit', 'block I/O class', 'RDT class', 'unified cgroup value', 'cgroups path', 'OOM score adjustment', 'rlimit', 'I/O priority',
  'seccomp policy', 'namespace', 'sysctl', 'network device', 'scheduler', 'RDT CLOS id', 'RDT schemata', 'RDT monitoring', 'memory policy',
] as const;

export type Field = (typeof fields)[number];

interface Claim {
  readonly field: Field;
  /** Which annotation, mount and so on; empty for what there is one of. */
  readonly key: string;
}

const memoryFields: Readonly<Record<keyof MemoryMessage, Field>> = {
  limit: 'memory limit',
  reservation: 'memory reservation',
  swap: 'memory swap limit',
  kernel: 'kernel memory limit',
  kernelTcp: 'TCP memory limit',
  swappiness: 'memory swappiness',
  disableOomKiller: 'disabling of the OOM killer',
  useHierarchy: 'memory hierarchy',
};

const cpuFields: Readonly<Record<keyof CpuMessage, Field>> = {
  shares: 'CPU shares',
  quota: 'CPU quota',
  period: 'CPU period',
  realtimeRuntime: 'CPU realtime runtime',
  realtimePeriod: 'CPU realtime period',
  cpus: 'cpuset CPUs',
  mems: 'cpuset memory nodes',
};

const isGiven = (value: unknown): boolean => value !== null && value !== undefined && value !== '';

function namedIn<Shape extends object>(shape: Shape | null, names: Readonly<Record<keyof Shape, Field>>): Field[] {
  return (Object.keys(names) as (keyof Shape)[]).filter((key) => isGiven(shape?.[key])).map((key) => names[key]);
}

/** Everything that a wish for resources lays claim to. */
function resourceClaims(resources: ResourcesMessage): readonly Claim[] {
  const single: Field[] = [...namedIn(resources.memory, memoryFields), ...namedIn(resources.cpu, cpuFields)];
  if (resources.pids !== null) single.push('pids limit');
  if (resources.blockioClass !== null) single.push('block I/O class');
  if (resources.rdtClass !== null) single.push('RDT class');
  return [
    ...single.map((field) => ({ field, key: '' })),
    ...resources.hugepageLimits.map(({ pageSize }): Claim => ({ field: 'hugepage limit', key: pageSize })),
    ...Object.keys(resources.unified).map((key): Claim => ({ field: 'unified cgroup value', key })),
  ];
}

/** Which plugin changed what, so that two which want the same are noticed. */
export class Owners {
  readonly #owners = new Map<string, { readonly container: string; readonly claim: Claim; readonly plugin: string }>();

  /** @throws BerthError `precondition`, naming both, when another plugin has it already. */
  claim(container: string, plugin: string, claim: Claim): void {
    const taken = this.#owners.get(keyOf(container, claim));
    if (taken !== undefined && taken.plugin !== plugin) {
      const what = claim.key === '' ? claim.field : `${claim.field} ${claim.key}`;
      throw new BerthError('precondition', `NRI plugins ${taken.plugin} and ${plugin} both tried to set the ${what} of container ${container}`, {
        hint: 'let only one of them do so',
      });
    }
    this.#owners.set(keyOf(container, claim), { container, claim, plugin });
  }

  /** As claim() for all that is named, but all of it or none. */
  claimResources(container: string, plugin: string, resources: ResourcesMessage): void {
    const claims = resourceClaims(resources);
    const before = new Map(this.#owners);
    try {
      for (const claim of claims) this.claim(container, plugin, claim);
    } catch (error) {
      this.#owners.clear();
      for (const [key, owner] of before) this.#owners.set(key, owner);
      throw error;
    }
  }

  /** A plugin takes something away on purpose, and may set it anew. */
  clear(container: string, claim: Claim): void {
    this.#owners.delete(keyOf(container, claim));
  }

  message(): OwnersMessage {
    const owners: Record<string, { simple: Record<string, string>; compound: Record<string, { owners: Record<string, string> }> }> = empty();
    for (const { container, claim, plugin } of this.#owners.values()) {
      const of = (owners[container] ??= { simple: empty(), compound: empty() });
      const number = String(fields.indexOf(claim.field) + 1);
      if (claim.key === '') of.simple[number] = plugin;
      else (of.compound[number] ??= { owners: empty() }).owners[claim.key] = plugin;
    }
    return { owners };
  }
}

/** Without the properties of every object, for keys that plugins choose. */
const empty = <Value>(): Record<string, Value> => Object.create(null) as Record<string, Value>;

function keyOf(container: string, { field, key }: Claim): string {
  return JSON.stringify([container, field, key]);
}
