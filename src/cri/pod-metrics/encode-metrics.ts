import type { Container } from '../../engine/model/container.ts';
import type { Pod } from '../../engine/model/pod.ts';
import type { ContainerStats, PodStats } from '../../engine/model/stats.ts';
import type { FilesystemStats } from '../../agent/port.ts';
import { metricTypes, type ContainerMetrics, type Metric, type MetricDescriptor, type PodSandboxMetrics } from '../messages/metrics.ts';
import { metadataOf } from '../codec/pod-metadata.ts';
import { containerMetrics } from './container-metrics.ts';
import { baseLabels, type MetricRow } from './metric-row.ts';
import { networkMetrics } from './network-metrics.ts';

/** A pod that was measured, with its records. */
export interface MeasuredPod {
  readonly pod: Pod;
  readonly stats: PodStats;
  readonly containers: ReadonlyMap<string, Container>;
  readonly filesystem: FilesystemStats;
}

/** Every metric there is. */
export function metricDescriptors(): readonly MetricDescriptor[] {
  const describe = ({ name, help, labels }: Pick<MetricRow<never>, 'name' | 'help' | 'labels'>): MetricDescriptor => ({ name, help, labelKeys: [...baseLabels, ...labels] });
  return [...containerMetrics.map(describe), ...networkMetrics.map(describe)];
}

/** The metrics of a pod and of its running containers. */
export function encodePodMetrics(measured: MeasuredPod): PodSandboxMetrics {
  const { pod, stats, containers } = measured;
  return {
    podSandboxId: pod.id,
    metrics: encode(networkMetrics, stats, labelValues(pod, { container: '', id: pod.config.cgroupParent, image: '', name: pod.id })),
    containerMetrics: stats.containers.flatMap((each) => {
      const container = containers.get(each.id);
      return container === undefined ? [] : [encodeContainer(measured, container, each)];
    }),
  };
}

function encodeContainer({ pod, filesystem }: MeasuredPod, container: Container, stats: ContainerStats): ContainerMetrics {
  const { config, startedAtNs } = container;
  const labels = labelValues(pod, { container: config.name, id: stats.cgroupPath, image: config.userSpecifiedImage || config.image, name: container.id });
  const subject = { stats, filesystem, startedAtNs: startedAtNs ?? container.createdAtNs, nowNs: stats.task.timestampNs };
  return { containerId: container.id, metrics: encode(containerMetrics, subject, labels) };
}

/** In the order of `baseLabels`. */
function labelValues({ config }: Pod, own: { readonly container: string; readonly id: string; readonly image: string; readonly name: string }): readonly string[] {
  const { namespace, name } = metadataOf(config);
  return [own.container, own.id, own.image, own.name, namespace, name];
}

function encode<Subject>(rows: readonly MetricRow<Subject>[], subject: Subject, base: readonly string[]): readonly Metric[] {
  return rows.flatMap(({ name, type, read }) =>
    read(subject).map(({ labels, value }) => ({ name, timestamp: 0n, metricType: metricTypes[type], labelValues: [...base, ...labels], value: { value } })),
  );
}
