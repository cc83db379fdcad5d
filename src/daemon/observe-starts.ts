import type { Engine } from '../engine/port.ts';
import type { StartMetrics } from '../metrics/port.ts';

/** Feeds the waterfall of every start into the metrics, until the signal aborts. */
export async function observeStarts(engine: Pick<Engine, 'events'>, metrics: StartMetrics, signal: AbortSignal): Promise<void> {
  for await (const { type, containerId, pod, containers } of engine.events(signal)) {
    if (type !== 'started' || pod === undefined) continue;
    if (containerId === pod.id) {
      metrics.started('pod', pod.waterfall);
    } else {
      const container = containers.find(({ id }) => id === containerId);
      if (container !== undefined) metrics.started('container', container.waterfall);
    }
  }
}
