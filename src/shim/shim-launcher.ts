import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { asBerthError, BerthError, isKind } from '../lib/errors.ts';
import type { Agent } from '../agent/port.ts';
import { buryShim } from './bury-shim.ts';
import { CompiledSeccomp } from './compiled-seccomp.ts';
import { readExitRecord } from './exit-record.ts';
import { ForeignStreams } from './foreign-streams.ts';
import { shimMethods } from './methods.ts';
import { KnownTasks } from './known-tasks.ts';
import { OomEvents } from './oom-events.ts';
import type { RuntimeHandler, ShimLauncher, Task, TaskExit, TaskHandle, TaskSpec } from './port.ts';
import { ShimConnections } from './shim-connections.ts';
import { callMs, type ShimParts, type ShimTarget, taskMethodsOf } from './shim-parts.ts';
import { ShimTask } from './shim-task.ts';
import { startShim } from './start-shim.ts';
import { createRequest } from './task-request.ts';

/** Sockets kept open to shims that nothing is asked at the moment. */
const maxIdleConnections = 64;
const cleanUpMs = 30_000;

export interface ShimLauncherInit {
  readonly handlers: readonly RuntimeHandler[];
  /** Short: unix socket paths end at 107 bytes. */
  readonly runRoot: string;
  /** Absolute path of berth-shim, which serves the streams of foreign shims' containers. */
  readonly berthShim: string;
}

/** Launches and finds tasks behind any shim that speaks containerd's Task service. */
export class TtrpcShimLauncher implements ShimLauncher {
  readonly #parts: ShimParts;
  readonly #handlers: ReadonlyMap<string, RuntimeHandler>;

  constructor(components: { readonly agent: Agent; readonly clock: Clock }, init: ShimLauncherInit) {
    const methods = shimMethods();
    const eventsPath = join(init.runRoot, 'events.sock');
    this.#handlers = new Map(init.handlers.map((handler) => [handler.name, handler]));
    this.#parts = {
      ...components,
      methods,
      connections: new ShimConnections({ maxIdle: maxIdleConnections }),
      oom: new OomEvents(eventsPath, methods),
      tasks: new KnownTasks(),
      seccomp: new CompiledSeccomp(),
      places: { socketDir: join(init.runRoot, 's'), eventsAddress: `unix://${eventsPath}` },
      berthShim: init.berthShim,
    };
  }

  /** Opens the socket for foreign shims' events. Call once, before anything is launched or attached. */
  async open(): Promise<void> {
    mkdirSync(this.#parts.places.socketDir, { recursive: true, mode: 0o700 });
    await this.#parts.oom.listen();
  }

  /** Leaves every shim running. Calls that are open, waits included, fail `canceled`. */
  async close(): Promise<void> {
    this.#parts.connections.close();
    await this.#parts.oom.close();
  }

  handlers(): readonly RuntimeHandler[] {
    return [...this.#handlers.values()];
  }

  specAnnotations(handler: string, seccomp: unknown): Readonly<Record<string, string>> {
    return this.#parts.seccomp.annotations(this.#handler(handler), seccomp);
  }

  async launch(handlerName: string, spec: TaskSpec, signal?: AbortSignal): Promise<Task> {
    const handler = this.#handler(handlerName);
    requireRuntime(handler);
    const { id, bundle } = spec;
    // The file that a foreign shim logs to, which containerd would have made.
    if (handler.protocol === 'containerd') writeFileSync(join(bundle, 'log'), '', { mode: 0o600 });
    let handle: TaskHandle = { id, handler: handlerName, address: '', version: 3, bundle, pid: 0 };
    try {
      // A shim that is being made must be known to exist or not before it can be undone: its start ends before the signal's failure
      // comes. From then on it can be killed at any time.
      const { address, version } = await startShim(this.#parts.agent, { handler, id, bundle, places: this.#parts.places }, this.#parts.methods, signal);
      handle = { ...handle, address, version };
      signal?.throwIfAborted();
      if (handler.protocol === 'containerd') await new ForeignStreams(this.#parts, { handle, handler }).open(spec);
      const request = createRequest(spec, handler, this.#parts.methods);
      const { pid } = await this.#parts.connections.call(address, taskMethodsOf(this.#parts, handle).create, request, { timeoutMs: callMs.create, signal });
      return new ShimTask(this.#parts, { handle: { ...handle, pid }, handler });
    } catch (error) {
      await this.#abandon({ handle, handler }, error);
      throw error;
    }
  }

  async attach(handle: TaskHandle, signal?: AbortSignal): Promise<Task | undefined> {
    const task = new ShimTask(this.#parts, { handle, handler: this.#handler(handle.handler) });
    try {
      await task.adopt(signal);
      return task;
    } catch (error) {
      this.#parts.oom.unwatch(handle.id);
      if (isKind(error, 'not-found') || isKind(error, 'unavailable')) return undefined;
      throw error;
    }
  }

  exitRecord(bundle: string): TaskExit | undefined {
    return readExitRecord(bundle);
  }

  async bury(handle: TaskHandle, signal?: AbortSignal): Promise<void> {
    await buryShim(this.#parts, { handle, handler: this.#handler(handle.handler) }, signal);
  }

  #handler(name: string): RuntimeHandler {
    const handler = this.#handlers.get(name);
    if (handler === undefined) throw new BerthError('invalid', `no runtime handler is called "${name}"`, { hint: `configured are ${[...this.#handlers.keys()].join(', ')}` });
    return handler;
  }

  /** Undoes a launch that failed, whatever it got to: the shim may know of the task or not, and may still run or not. */
  async #abandon(target: ShimTarget, failure: unknown): Promise<void> {
    try {
      if (target.handle.address !== '') await new ShimTask(this.#parts, target).remove(AbortSignal.timeout(cleanUpMs));
      await buryShim(this.#parts, target, AbortSignal.timeout(cleanUpMs));
    } catch (error) {
      const first = asBerthError(failure, `cannot launch container ${target.handle.id}`);
      throw new BerthError(first.kind, `${first.message}; undoing that failed, too: ${asBerthError(error, 'clean up').message}`, { cause: failure });
    }
  }
}

/** The shim would tell of a missing file alone, and not whose it is. */
function requireRuntime({ name, runtime }: RuntimeHandler): void {
  if (runtime === '' || existsSync(runtime)) return;
  throw new BerthError('precondition', `runtime handler "${name}" has no OCI runtime: ${runtime} does not exist`, { hint: `install ${basename(runtime)}, or set [runtimes.${name}] runtime and restart berthd` });
}
