import { existsSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import type { ReadyGate } from '../doors/ready-gate.ts';
import type { Engine } from '../engine/port.ts';

export interface InfoParts {
  readonly engine: Engine;
  readonly gate: ReadyGate;
  readonly agent: { readonly healthy: boolean; readonly restarts: number; readonly pid: number | undefined };
  readonly version: string;
  readonly config: Config;
  readonly cgroupDriver: string;
}

/** What `berth info` shows of the daemon, read at each call. */
export function daemonInfo({ engine, gate, agent, version, config, cgroupDriver }: InfoParts): () => object {
  return () => ({
    version,
    node: process.version,
    pid: process.pid,
    uptimeSeconds: Math.round(process.uptime()),
    ready: gate.isOpen,
    agent: { healthy: agent.healthy, restarts: agent.restarts, pid: agent.pid ?? 0 },
    residentBytes: process.memoryUsage.rss(),
    stateRoot: config.stateRoot,
    runRoot: config.runRoot,
    cgroupDriver,
    kernel: engine.status().kernel,
    runtimes: engine.status().handlers.map(({ name, runtime, known }) => Object.assign({ handler: name, runtime, missing: runtime !== '' && !existsSync(runtime) }, known)),
    pods: engine.pods.list().length,
    containers: engine.containers.list().length,
    images: engine.images.list().length,
  });
}
