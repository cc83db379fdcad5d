import type { Engine } from '../engine/port.ts';
import type { ContainerStats } from '../engine/model/stats.ts';
import type { ContainerIo, ScrapeSource } from '../metrics/port.ts';
import type { Snapshotter } from '../snapshotter/port.ts';

/** A scrape must end, however many shims are stuck. */
const readTimeoutMs = 3000;

export interface ScrapeParts {
  readonly engine: Engine;
  readonly snapshotter: Pick<Snapshotter, 'list'>;
  readonly agent: { readonly healthy: boolean; readonly restarts: number };
}

function countBy(states: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const state of states) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

function ioOf(engine: Engine, { id, task }: ContainerStats): readonly ContainerIo[] {
  const [container] = engine.containers.list({ id });
  if (container === undefined) return [];
  return [
    {
      container: id,
      pod: container.podId,
      name: container.config.name,
      readBytes: sum(task.io.map(({ readBytes }) => readBytes)),
      writeBytes: sum(task.io.map(({ writeBytes }) => writeBytes)),
    },
  ];
}

/** What metrics read from the daemon on a scrape. */
export function scrapeSource({ engine, snapshotter, agent }: ScrapeParts): ScrapeSource {
  return {
    podsByState: () => countBy(engine.pods.list().map(({ state }) => state)),
    containersByState: () => countBy(engine.containers.list().map(({ state }) => state)),
    agent: () => ({ healthy: agent.healthy, restarts: agent.restarts }),
    pullsUnderWay: () => engine.images.pulls().length,
    images: () => engine.images.list().length,
    runtimes: () => engine.status().handlers.map(({ name, known }) => ({ handler: name, version: known.version, advisories: known.advisories.length })),
    containerIo: async () => {
      const running = engine.containers.list({ state: 'running' }).length;
      const stats = await engine.containers.listStats({ state: 'running' }, AbortSignal.timeout(readTimeoutMs));
      return { running, answered: stats.flatMap((each) => ioOf(engine, each)) };
    },
    layers: () => snapshotter.list().flatMap(({ key, usage }) => (usage === undefined ? [] : [{ layer: key, bytes: usage.bytes }])),
  };
}
