import type { InterfaceStats } from '../../agent/port.ts';
import type { PodStats } from '../../engine/model/stats.ts';
import type { MetricRow } from './metric-row.ts';

const loopback = 'lo';

const row = (name: string, help: string, read: (stats: InterfaceStats) => bigint): MetricRow<PodStats> => ({
  name: `container_network_${name}_total`,
  help,
  type: 'counter',
  labels: ['interface'],
  read: ({ interfaces }) => interfaces.filter((each) => each.name !== loopback).map((each) => ({ labels: [each.name], value: read(each) })),
});

/** Metrics of a pod's network. The containers share it, so it is counted once, for the pod. */
export const networkMetrics: readonly MetricRow<PodStats>[] = [
  row('receive_bytes', 'Bytes received.', ({ rxBytes }) => rxBytes),
  row('receive_packets', 'Packets received.', ({ rxPackets }) => rxPackets),
  row('receive_packets_dropped', 'Packets dropped while receiving.', ({ rxDropped }) => rxDropped),
  row('receive_errors', 'Errors while receiving.', ({ rxErrors }) => rxErrors),
  row('transmit_bytes', 'Bytes sent.', ({ txBytes }) => txBytes),
  row('transmit_packets', 'Packets sent.', ({ txPackets }) => txPackets),
  row('transmit_packets_dropped', 'Packets dropped while sending.', ({ txDropped }) => txDropped),
  row('transmit_errors', 'Errors while sending.', ({ txErrors }) => txErrors),
];
