import { BerthError } from '../lib/errors.ts';
import type { OciLinux, OciProcess, OciScheduler, OciUint64 } from '../oci/runtime-spec/types.ts';
import type { IoPriorityMessage, MemoryPolicyMessage, SchedulerMessage } from './messages.ts';
import { compact } from './resources.ts';

/* Words of the OCI spec, numbered as the enums of the contract. */
export const ioClasses = ['', 'IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'];
export const policies = ['', 'SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR', 'SCHED_BATCH', 'SCHED_ISO', 'SCHED_IDLE', 'SCHED_DEADLINE'];
export const schedulerFlags = [
  'SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_RECLAIM', 'SCHED_FLAG_DL_OVERRUN', 'SCHED_FLAG_KEEP_POLICY', 'SCHED_FLAG_KEEP_PARAMS', 'SCHED_FLAG_UTIL_CLAMP_MIN', 'SCHED_FLAG_UTIL_CLAMP_MAX',
];
export const memoryModes = ['MPOL_DEFAULT', 'MPOL_PREFERRED', 'MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_LOCAL', 'MPOL_PREFERRED_MANY', 'MPOL_WEIGHTED_INTERLEAVE'];
export const memoryFlags = ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_NUMA_BALANCING'];

/** The word of the OCI spec for a number of proto's. */
function word(words: readonly string[], number: number, what: string): string {
  const found = words[number];
  if (found === undefined) throw new BerthError('invalid', `an NRI plugin asks for ${what} ${number}, which does not exist`);
  return found;
}

/** A number where it is exact. */
export function uint64(value: bigint): OciUint64 {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** undefined: none is asked for. */
export function ioPriorityOf(message: IoPriorityMessage | null): OciProcess['ioPriority'] {
  if (message === null || message.class === 0) return undefined;
  return { class: word(ioClasses, message.class, 'I/O priority class'), priority: message.priority };
}

export function ioPriorityMessage(of: OciProcess['ioPriority']): IoPriorityMessage | null {
  return of === undefined ? null : { class: Math.max(0, ioClasses.indexOf(of.class)), priority: of.priority };
}

/** undefined: none is asked for. */
export function schedulerOf(message: SchedulerMessage | null): OciScheduler | undefined {
  if (message === null || message.policy === 0) return undefined;
  const { nice, priority, flags, runtime, deadline, period } = message;
  const some = (value: bigint): number | undefined => (value === 0n ? undefined : Number(value));
  return {
    policy: word(policies, message.policy, 'scheduling policy'),
    ...compact({
      nice: nice === 0 ? undefined : nice,
      priority: priority === 0 ? undefined : priority,
      flags: flags.length === 0 ? undefined : flags.map((flag) => word(schedulerFlags, flag, 'scheduling flag')),
      runtime: some(runtime),
      deadline: some(deadline),
      period: some(period),
    }),
  };
}

export function schedulerMessage(of: OciScheduler | undefined): SchedulerMessage | null {
  if (of === undefined) return null;
  return {
    policy: Math.max(0, policies.indexOf(of.policy)),
    nice: of.nice ?? 0,
    priority: of.priority ?? 0,
    flags: (of.flags ?? []).map((flag) => schedulerFlags.indexOf(flag)),
    runtime: BigInt(of.runtime ?? 0),
    deadline: BigInt(of.deadline ?? 0),
    period: BigInt(of.period ?? 0),
  };
}

/** undefined: none is asked for. */
export function memoryPolicyOf(message: MemoryPolicyMessage | null): OciLinux['memoryPolicy'] {
  if (message === null) return undefined;
  const flags = message.flags.map((flag) => word(memoryFlags, flag, 'memory policy flag'));
  return { mode: word(memoryModes, message.mode, 'memory policy'), nodes: message.nodes, ...(flags.length === 0 ? {} : { flags }) };
}
