import { Gauge, type Registry } from 'prom-client';
import { printable } from '../lib/clean-text.ts';
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

/** @param read undefined: the gauge has no value. */
function single(registry: Registry, what: { readonly name: string; readonly help: string }, read: () => number | Promise<number | undefined>): void {
  const gauge: Gauge = new Gauge({
    ...what,
    registers: [registry],
    collect: async () => {
      const value = await read();
      if (value === undefined) gauge.remove();
      else gauge.set(value);
    },
  });
}

/** Calls that come while a reading runs get that reading: gauges of one scrape are collected side by side. */
function shared<Reading>(read: () => Promise<Reading>): () => Promise<Reading> {
  let running: Promise<Reading> | undefined;
  return async () => {
    running ??= read().finally(() => {
      running = undefined;
    });
    return running;
  };
}

const ioHelp = (verb: string): string =>
  `Bytes that the container ${verb} block devices, as its cgroup counts them. Reads served from the page cache are not in it, and the kernel does not tell which layer a read came from. At most ${maxIdSeries} running containers.`;

function containerIo(registry: Registry, source: ScrapeSource): void {
  // Just when the agent is away the other metrics are wanted, so these go without values then.
  const read = shared(async () => source.containerIo().catch(() => undefined));
  const declare = (name: string, help: string, bytes: (io: ContainerIo) => bigint): void => {
    const gauge: Gauge<'container' | 'pod' | 'name'> = new Gauge({
      name,
      help,
      labelNames: ['container', 'pod', 'name'],
      registers: [registry],
      collect: async () => {
        const reading = await read();
        gauge.reset();
        for (const io of (reading?.answered ?? []).slice(0, maxIdSeries)) gauge.set({ container: io.container, pod: io.pod, name: printable(io.name) }, Number(bytes(io)));
      },
    });
  };
  declare('berth_container_io_read_bytes', ioHelp('read from'), (io) => io.readBytes);
  declare('berth_container_io_written_bytes', ioHelp('wrote to'), (io) => io.writeBytes);
  single(registry, { name: 'berth_shims_silent', help: 'Running containers whose shim did not answer when asked for statistics.' }, async () => {
    const reading = await read();
    return reading && Math.max(0, reading.running - reading.answered.length);
  });
}

function runtimes(registry: Registry, source: ScrapeSource): void {
  const gauge: Gauge<'handler' | 'version'> = new Gauge({
    name: 'berth_runtime_known_vulnerabilities',
    help: 'Published vulnerabilities that the version of a handler’s OCI runtime falls under; berth info names them. A distribution may have mended some under the same number.',
    labelNames: ['handler', 'version'],
    registers: [registry],
    collect: () => {
      gauge.reset();
      for (const { handler, version, advisories } of source.runtimes()) gauge.set({ handler, version }, advisories);
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
  runtimes(registry, source);
}
