import type { Clock } from '../lib/clock.ts';
import type { Agent } from '../agent/port.ts';
import type { CompiledSeccomp } from './compiled-seccomp.ts';
import type { KnownTasks } from './known-tasks.ts';
import type { ShimMethods, TaskMethods } from './methods.ts';
import type { OomEvents } from './oom-events.ts';
import type { RuntimeHandler, TaskHandle } from './port.ts';
import type { ShimConnections } from './shim-connections.ts';
import type { ShimPlaces } from './start-shim.ts';

/** What every task works with. */
export interface ShimParts {
  readonly agent: Agent;
  readonly clock: Clock;
  readonly connections: ShimConnections;
  readonly methods: ShimMethods;
  readonly oom: OomEvents;
  readonly tasks: KnownTasks;
  readonly seccomp: CompiledSeccomp;
  readonly places: ShimPlaces;
  /** Absolute path of berth-shim, which serves the streams of foreign shims' containers. */
  readonly berthShim: string;
}

/** One task as the parts below a Task see it. */
export interface ShimTarget {
  readonly handle: TaskHandle;
  readonly handler: RuntimeHandler;
}

/** Milliseconds that a shim has for a call. A frozen shim costs its caller this much and nobody else anything. */
export const callMs = {
  create: 60_000,
  start: 60_000,
  /** berth's shim takes half of it when the OCI runtime hangs, containerd's when a child of an exec holds its output. */
  delete: 20_000,
  exec: 30_000,
  /** An exec that could not be started is undone. */
  undoExec: 5000,
  default: 10_000,
  stats: 2000,
  /** Memory is written to disk at its pace. */
  checkpoint: 3_600_000,
} as const;

/** The Task service in the version that the shim speaks. */
export function taskMethodsOf(parts: ShimParts, handle: TaskHandle): TaskMethods {
  return handle.version === 2 ? parts.methods.task[2] : parts.methods.task[3];
}
