import { BerthError } from '../lib/errors.ts';
import type { OciDeviceRule, OciMemory, OciResources } from '../oci/runtime-spec/types.ts';
import type { CpuMessage, DeviceRuleMessage, MemoryMessage, Optional, ResourcesMessage } from './messages.ts';

const optional = (value: number | undefined): Optional<bigint> => (value === undefined ? null : { value: BigInt(value) });
const flag = (value: boolean | undefined): Optional<boolean> => (value === undefined ? null : { value });
const number = (value: Optional<bigint>): number | undefined => (value === null ? undefined : Number(value.value));

/** Without the keys whose value is undefined, so that absent stays absent. */
export function compact<Shape extends object>(shape: Shape): { [Key in keyof Shape]?: Exclude<Shape[Key], undefined> } {
  return Object.fromEntries(Object.entries(shape).filter(([, value]) => value !== undefined)) as { [Key in keyof Shape]?: Exclude<Shape[Key], undefined> };
}

export const noMemory: MemoryMessage = {
  limit: null, reservation: null, swap: null, kernel: null, kernelTcp: null, swappiness: null, disableOomKiller: null, useHierarchy: null,
};

export const noCpu: CpuMessage = { shares: null, quota: null, period: null, realtimeRuntime: null, realtimePeriod: null, cpus: '', mems: '' };

export const noResources: ResourcesMessage = { memory: null, cpu: null, hugepageLimits: [], blockioClass: null, rdtClass: null, unified: {}, devices: [], pids: null };

/** How plugins are told of resources. */
export function resourcesMessage(oci: OciResources): ResourcesMessage {
  const { memory = {}, cpu = {} } = oci;
  return {
    ...noResources,
    memory: {
      limit: optional(memory.limit),
      reservation: optional(memory.reservation),
      swap: optional(memory.swap),
      kernel: optional(memory.kernel),
      kernelTcp: optional(memory.kernelTCP),
      swappiness: optional(memory.swappiness),
      disableOomKiller: flag(memory.disableOOMKiller),
      useHierarchy: flag(memory.useHierarchy),
    },
    cpu: {
      shares: optional(cpu.shares),
      quota: optional(cpu.quota),
      period: optional(cpu.period),
      realtimeRuntime: optional(cpu.realtimeRuntime),
      realtimePeriod: optional(cpu.realtimePeriod),
      cpus: cpu.cpus ?? '',
      mems: cpu.mems ?? '',
    },
    hugepageLimits: (oci.hugepageLimits ?? []).map(({ pageSize, limit }) => ({ pageSize, limit: BigInt(limit) })),
    unified: oci.unified ?? {},
    devices: (oci.devices ?? []).map(({ allow, type = '', major, minor, access }) => ({ allow, type, major: optional(major), minor: optional(minor), access })),
    pids: oci.pids === undefined ? null : { limit: BigInt(oci.pids.limit) },
  };
}

/**
 * What a plugin wants of resources; only what it names is there.
 * @throws BerthError `unimplemented` for a class of block I/O, which berth has none of.
 */
export function ociOfResources(message: ResourcesMessage): OciResources {
  if (message.blockioClass !== null && message.blockioClass.value !== '') {
    throw new BerthError('unimplemented', `an NRI plugin asks for the block I/O class "${message.blockioClass.value}", but berth has no classes`, { hint: 'have it set limits instead' });
  }
  const memory = ociMemory(message.memory ?? noMemory);
  const cpu = ociCpu(message.cpu ?? noCpu);
  return compact({
    memory: Object.keys(memory).length > 0 ? memory : undefined,
    cpu: Object.keys(cpu).length > 0 ? cpu : undefined,
    pids: message.pids === null ? undefined : { limit: Number(message.pids.limit) },
    hugepageLimits: message.hugepageLimits.length === 0 ? undefined : message.hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limit: Number(limit) })),
    unified: Object.keys(message.unified).length === 0 ? undefined : message.unified,
    devices: message.devices.length === 0 ? undefined : message.devices.map(deviceRule),
  });
}

function ociMemory(message: MemoryMessage): OciMemory {
  return compact({
    limit: number(message.limit),
    swap: number(message.swap),
    reservation: number(message.reservation),
    kernel: number(message.kernel),
    kernelTCP: number(message.kernelTcp),
    swappiness: number(message.swappiness),
    disableOOMKiller: message.disableOomKiller?.value,
    useHierarchy: message.useHierarchy?.value,
  });
}

function ociCpu(message: CpuMessage): NonNullable<OciResources['cpu']> {
  return compact({
    shares: number(message.shares),
    quota: number(message.quota),
    period: number(message.period),
    realtimeRuntime: number(message.realtimeRuntime),
    realtimePeriod: number(message.realtimePeriod),
    cpus: message.cpus === '' ? undefined : message.cpus,
    mems: message.mems === '' ? undefined : message.mems,
  });
}

function deviceRule({ allow, type, major, minor, access }: DeviceRuleMessage): OciDeviceRule {
  return { allow, access, ...compact({ type: type === '' ? undefined : type, major: number(major), minor: number(minor) }) };
}

const given = <Shape extends object>(shape: Shape | null): Partial<Shape> =>
  Object.fromEntries(Object.entries(shape ?? {}).filter(([, value]) => value !== null && value !== '')) as Partial<Shape>;

/** What `change` names replaces what `base` says. */
export function overlayResources(base: ResourcesMessage, change: ResourcesMessage): ResourcesMessage {
  const sizes = new Set(change.hugepageLimits.map(({ pageSize }) => pageSize));
  return {
    memory: { ...noMemory, ...base.memory, ...given(change.memory) },
    cpu: { ...noCpu, ...base.cpu, ...given(change.cpu) },
    hugepageLimits: [...base.hugepageLimits.filter(({ pageSize }) => !sizes.has(pageSize)), ...change.hugepageLimits],
    blockioClass: change.blockioClass ?? base.blockioClass,
    rdtClass: change.rdtClass ?? base.rdtClass,
    unified: { ...base.unified, ...change.unified },
    devices: [...base.devices, ...change.devices],
    pids: change.pids ?? base.pids,
  };
}
