import type { Container } from '../../engine/model/container.ts';
import type { Pod } from '../../engine/model/pod.ts';
import type { ContainerStats, PodStats } from '../../engine/model/stats.ts';
import type { InterfaceStats, Pressure, PressureLine } from '../../agent/port.ts';
import type * as wire from '../messages/stats.ts';
import { metadataOf } from './pod-metadata.ts';

const value = (amount: bigint | number): wire.UInt64Value => ({ value: BigInt(amount) });
const optional = (amount: bigint | undefined): wire.UInt64Value | null => (amount === undefined ? null : { value: amount });
/** What is left below a limit, never less than nothing. */
const left = (limit: bigint | undefined, used: bigint): bigint | undefined => (limit === undefined ? undefined : limit > used ? limit - used : 0n);

const psiLine = (line: PressureLine | null): wire.PsiData | null => line && { Total: line.totalUs, Avg10: line.avg10, Avg60: line.avg60, Avg300: line.avg300 };
const psi = (pressure: Pressure | null | undefined): wire.PsiStats | null => (pressure ? { Full: psiLine(pressure.full), Some: psiLine(pressure.some) } : null);

export function encodeContainerStats(stats: ContainerStats, container: Container): wire.ContainerStats {
  const { timestampNs: timestamp, cpu, memory, pressure } = stats.task;
  const { config } = container;
  return {
    attributes: { id: stats.id, metadata: { name: config.name, attempt: config.attempt }, labels: config.labels, annotations: config.annotations },
    cpu: { timestamp, usageCoreNanoSeconds: value(cpu.usageNs), usageNanoCores: optional(stats.usageNanoCores), psi: psi(pressure?.cpu) },
    memory: {
      timestamp,
      workingSetBytes: value(memory.workingSetBytes),
      availableBytes: optional(left(memory.limitBytes, memory.workingSetBytes)),
      usageBytes: value(memory.usageBytes),
      rssBytes: value(memory.rssBytes),
      pageFaults: value(memory.pageFaults),
      majorPageFaults: value(memory.majorPageFaults),
      psi: psi(pressure?.memory),
    },
    writableLayer: {
      timestamp,
      fsId: { mountpoint: stats.writableLayerMountpoint },
      usedBytes: value(stats.writableLayer.bytes),
      inodesUsed: value(stats.writableLayer.inodes),
    },
    swap: { timestamp, swapAvailableBytes: optional(left(memory.swapLimitBytes, memory.swapUsageBytes)), swapUsageBytes: value(memory.swapUsageBytes) },
    io: { timestamp, psi: psi(pressure?.io) },
  };
}

function encodeInterface(stats: InterfaceStats): wire.NetworkInterfaceUsage {
  return { name: stats.name, rxBytes: value(stats.rxBytes), rxErrors: value(stats.rxErrors), txBytes: value(stats.txBytes), txErrors: value(stats.txErrors) };
}

function encodeNetwork(stats: PodStats, defaultName: string): wire.PodSandboxStats['linux']['network'] {
  if (stats.interfaces.length === 0) return null;
  const own = stats.interfaces.find(({ name }) => name === defaultName);
  return {
    timestamp: stats.timestampNs,
    defaultInterface: own === undefined ? null : encodeInterface(own),
    interfaces: stats.interfaces.filter((each) => each !== own && each.name !== 'lo').map(encodeInterface),
  };
}

export function encodePodStats(stats: PodStats, pod: Pod, containers: readonly wire.ContainerStats[]): wire.PodSandboxStats {
  const { timestampNs: timestamp, pressure } = stats;
  const { labels, annotations } = pod.config;
  return {
    attributes: { id: stats.id, metadata: metadataOf(pod.config), labels, annotations },
    linux: {
      cpu: { timestamp, usageCoreNanoSeconds: value(stats.cpuUsageNs), usageNanoCores: optional(stats.usageNanoCores), psi: psi(pressure?.cpu) },
      memory: {
        timestamp,
        workingSetBytes: value(stats.memoryWorkingSetBytes),
        availableBytes: optional(left(stats.memoryLimitBytes, stats.memoryWorkingSetBytes)),
        usageBytes: value(stats.memoryUsageBytes),
        rssBytes: value(stats.memoryRssBytes),
        pageFaults: value(stats.memoryPageFaults),
        majorPageFaults: value(stats.memoryMajorPageFaults),
        psi: psi(pressure?.memory),
      },
      network: encodeNetwork(stats, pod.network?.interfaceName ?? ''),
      process: { timestamp, processCount: value(stats.processCount) },
      containers,
      io: { timestamp, psi: psi(pressure?.io) },
    },
  };
}
