import { Gauge, type Registry } from 'prom-client';
import type { ContainerIo, ScrapeSource } from './port.ts';

/** Series that carry an id are cut off here, so that a node full of containers cannot flood a scraper. */
const maxIdSeries = 500;

function byState(registry: Registry, what: { readonly name: string; readonly help: string }, read: () => Readonly<Record<string, number>>): void {
  const gauge: Gauge<'state'> = new Gauge({
    ...what,
    labelNames: ['state'],
    registers: [registry],
    collect: () => {
      gauge.reset();
      for (const [state, count] of Object.entries(read())) gauge.set({ state }, count);
    },
  });
}

function single(registry: Registry, what: { readonly name: string; readonly help: string }, read: () => number): void {
  const gauge: Gauge = new Gauge({
    ...what,
    registers: [registry],
    collect: () => {
      gauge.set(read());
    },
  });
}

/** One gauge triggers the reading of all running containers; the others take what it read. */
function containerIo(registry: Registry, source: ScrapeSource): void {
  const labelNames = ['container', 'pod', 'name'] as const;
  const registers = [registry];
  const help = (verb: string): string =>
    `Bytes that the container ${verb} block devices, as its cgroup counts them. Reads served from the page cache are not in it, and the kernel does not tell which layer a read came from. At most ${maxIdSeries} running containers.`;
  const written = new Gauge({ name: 'berth_container_io_written_bytes', help: help('wrote to'), labelNames, registers });
  const silent = new Gauge({ name: 'berth_shims_silent', help: 'Running containers whose shim did not answer when asked for statistics.', registers });
  const set = (gauge: Gauge<(typeof labelNames)[number]>, { container, pod, name }: ContainerIo, bytes: bigint): void => {
    gauge.set({ container, pod, name }, Number(bytes));
  };
  const read: Gauge<(typeof labelNames)[number]> = new Gauge({
    name: 'berth_container_io_read_bytes',
    help: help('read from'),
    labelNames,
    registers,
    collect: async () => {
      const { answered, running } = await source.containerIo();
      read.reset();
      written.reset();
      silent.set(Math.max(0, running - answered.length));
      for (const io of answered.slice(0, maxIdSeries)) {
        set(read, io, io.readBytes);
        set(written, io, io.writeBytes);
      }
    },
  });
}

function layers(registry: Registry, source: ScrapeSource): void {
  const gauge: Gauge<'layer'> = new Gauge({
    name: 'berth_layer_written_bytes',
    help: `Bytes that unpacking a layer put on disk, by chain ID. What is read from a layer later is accounted to the reading container. At most ${maxIdSeries} layers, the largest.`,
    labelNames: ['layer'],
    registers: [registry],
    collect: () => {
      gauge.reset();
      const largest = source.layers().toSorted((a, b) => b.bytes - a.bytes);
      for (const { layer, bytes } of largest.slice(0, maxIdSeries)) gauge.set({ layer }, bytes);
    },
  });
}

/** Declares the metrics that are read from the daemon when somebody scrapes. */
export function collectFrom(registry: Registry, source: ScrapeSource): void {
  byState(registry, { name: 'berth_pods', help: 'Pods by state.' }, () => source.podsByState());
  byState(registry, { name: 'berth_containers', help: 'Containers by state.' }, () => source.containersByState());
  single(registry, { name: 'berth_images', help: 'Images in the store.' }, () => source.images());
  single(registry, { name: 'berth_pulls_under_way', help: 'Pulls that run or wait now.' }, () => source.pullsUnderWay());
  single(registry, { name: 'berth_agent_up', help: '1 while berth-agent runs and its connection stands.' }, () => Number(source.agent().healthy));
  single(registry, { name: 'berth_agent_restarts', help: 'Times that berth-agent had to be started again since berthd started.' }, () => source.agent().restarts);
  containerIo(registry, source);
  layers(registry, source);
}
