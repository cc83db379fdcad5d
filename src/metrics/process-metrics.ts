import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

const resolutionMs = 20;

/** Declares metrics of berthd's own process: memory, processor time and how late its event loop runs. */
export function collectProcess(registry: Registry): void {
  const registers = [registry];
  const lag = monitorEventLoopDelay({ resolution: resolutionMs });
  lag.enable();
  const lagGauge: Gauge<'percentile'> = new Gauge({
    name: 'berth_event_loop_lag_seconds',
    help: `How late timers fired since the last scrape; ${resolutionMs} ms of sampling interval are taken off.`,
    labelNames: ['percentile'],
    registers,
    collect: () => {
      const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1000);
      lagGauge.set({ percentile: '50' }, seconds(lag.percentile(50)));
      lagGauge.set({ percentile: '99' }, seconds(lag.percentile(99)));
      lagGauge.set({ percentile: '100' }, seconds(lag.max));
      lag.reset();
    },
  });
  const memory: Gauge<'kind'> = new Gauge({
    name: 'berth_process_memory_bytes',
    help: 'Memory of berthd: resident in all, and the parts of its heap.',
    labelNames: ['kind'],
    registers,
    collect: () => {
      const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
      memory.set({ kind: 'resident' }, rss);
      memory.set({ kind: 'heap_used' }, heapUsed);
      memory.set({ kind: 'heap_total' }, heapTotal);
      memory.set({ kind: 'external' }, external);
    },
  });
  const cpu: Gauge = new Gauge({
    name: 'berth_process_cpu_seconds',
    help: 'Processor time that berthd has used.',
    registers,
    collect: () => {
      const { user, system } = process.cpuUsage();
      cpu.set((user + system) / 1e6);
    },
  });
}
