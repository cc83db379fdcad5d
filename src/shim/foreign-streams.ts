import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError, isKind } from '../lib/errors.ts';
import { connectUnix } from '../lib/ttrpc/connect.ts';
import type { Method } from '../lib/ttrpc/method.ts';
import type { ContainerMethods, StdioPaths } from './methods.ts';
import type { TaskSpec } from './port.ts';
import { callMs, type ShimParts, type ShimTarget, taskMethodsOf } from './shim-parts.ts';
import { searchPath } from './start-shim.ts';

type AttachPaths = Parameters<ContainerMethods['attach']['request']['encode']>[0];

/** The FIFOs that a foreign shim is given for a container's main process. A terminal has an input in any case, and one output. */
export function foreignStdio({ bundle, terminal, stdin }: Pick<TaskSpec, 'bundle' | 'terminal' | 'stdin'>): StdioPaths {
  const path = (name: string): string => join(bundle, 'io', name);
  return { terminal, stdin: stdin || terminal ? path('stdin') : '', stdout: path('stdout'), stderr: terminal ? '' : path('stderr') };
}

/**
 * The streams of a foreign shim's container. A process of ours, `berth-shim streams`, has the other ends of the FIFOs: it
 * writes the log, serves those who attach, outlives berthd and ends with the outputs. One that was killed is replaced as
 * soon as it is needed.
 */
export class ForeignStreams {
  readonly #parts: ShimParts;
  readonly #target: ShimTarget;

  constructor(parts: ShimParts, target: ShimTarget) {
    this.#parts = parts;
    this.#target = target;
  }

  /** To be called with the shim running, before its Create. */
  async open({ terminal, stdin, stdinOnce, logPath, maxLogLineBytes }: TaskSpec): Promise<void> {
    const { id, address } = this.#target.handle;
    const settings = {
      log: logPath === undefined ? null : { path: logPath, maxLineBytes: maxLogLineBytes },
      terminal,
      stdin,
      stdinOnce,
      socket: this.#socket,
      shim: { id, address: address.replace('unix://', ''), service: taskMethodsOf(this.#parts, this.#target.handle).closeIo.service },
    };
    writeFileSync(this.#settings, JSON.stringify(settings), { mode: 0o600 });
    await this.#serve();
  }

  /** Sees to it that a running container is listened to. */
  async ensure(signal?: AbortSignal): Promise<void> {
    if (!existsSync(this.#settings)) return;
    try {
      (await connectUnix(this.#address, signal)).destroy();
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error;
      await this.#serve(signal);
    }
  }

  async reopenLog(signal?: AbortSignal): Promise<void> {
    await this.#ask(this.#parts.methods.streams.reopenLog, {}, signal);
  }

  async attach(paths: AttachPaths, signal?: AbortSignal): Promise<void> {
    await this.#ask(this.#parts.methods.streams.attach, paths, signal);
  }

  /** Resolves when what the container, which has ended, wrote is in its log. Nobody waits for a log that hangs. */
  async settle(signal?: AbortSignal): Promise<void> {
    // Who has taken everything has left without a trace.
    if (!existsSync(this.#socket)) return;
    await this.#ask(this.#parts.methods.streams.settle, {}, signal).catch(() => signal?.throwIfAborted());
  }

  /** The container is removed. Without its outputs the process ends in any case, should it not hear of this. */
  async finish(signal?: AbortSignal): Promise<void> {
    if (!existsSync(this.#socket)) return;
    await this.#call(this.#parts.methods.streams.finish, {}, signal).catch(() => signal?.throwIfAborted());
    rmSync(this.#socket, { force: true });
  }

  get #settings(): string {
    return join(this.#target.handle.bundle, 'streams.json');
  }

  /** As short as an id's beginning that no other has: a unix socket's path holds 107 bytes. */
  get #socket(): string {
    return join(this.#parts.places.socketDir, `${this.#target.handle.id.slice(0, 32)}.io`);
  }

  get #address(): string {
    return `unix://${this.#socket}`;
  }

  /** @throws BerthError `precondition` for a container of a berth that gave its foreign shims no FIFOs. */
  async #ask<Request extends object>(method: Method<Request, object>, request: Request, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#call(method, request, signal);
    } catch (error) {
      if (!isKind(error, 'unavailable')) throw error;
      if (!existsSync(this.#settings)) throw new BerthError('precondition', `nobody has the streams of container ${this.#target.handle.id}`, { hint: 'an older berth started it; they are there once it is replaced' });
      await this.#serve(signal);
      await this.#call(method, request, signal);
    }
  }

  async #call<Request extends object>(method: Method<Request, object>, request: Request, signal: AbortSignal | undefined): Promise<void> {
    const until = signal === undefined ? {} : { signal };
    try {
      await this.#parts.connections.call(this.#address, method, request, { timeoutMs: callMs.default, ...until });
    } finally {
      this.#parts.connections.forget(this.#address);
    }
  }

  async #serve(signal?: AbortSignal): Promise<void> {
    const { bundle, id } = this.#target.handle;
    const { exitCode, stderr } = await this.#parts.agent.exec({ argv: [this.#parts.berthShim, 'streams', bundle], env: { PATH: searchPath }, cwd: bundle, stdin: new Uint8Array(0), timeoutMs: callMs.default, detached: true }, signal);
    if (exitCode !== 0) throw new BerthError('internal', `the streams of container ${id} cannot be served: ${Buffer.from(stderr).toString().trim()}`);
  }
}
