import type { Duplex } from 'node:stream';
import { BerthError } from '../lib/errors.ts';
import type { Method } from '../lib/ttrpc/method.ts';
import type { TtrpcClient } from '../lib/ttrpc/client.ts';
import { cgroupReading } from './cgroup-reading.ts';
import { meetAgent } from './meet-agent.ts';
import { type AgentMethods, agentMethods } from './methods.ts';
import type {
  Agent,
  AgentInfo,
  ArchiveRequest,
  CgroupQuery,
  CgroupReading,
  ExecRequest,
  ExecResult,
  ExtractRequest,
  FilesystemMount,
  FilesystemStats,
  ForwardRequest,
  HeldNamespaces,
  HostPath,
  InterfaceStats,
  LookRequest,
  NamespaceRequest,
  UnpackRequest,
  UnpackResult,
  Usage,
} from './port.ts';

/** Longer than any of these calls should take; those that depend on the size of data have none. */
const shortCallMs = 30_000;
/** Account files are a few kilobytes; whoever has more than this in them wants to fill our memory. */
const maxSnapshotFileBytes = 10 * 1024 * 1024;
/** What the agent is given on top of a child's own timeout. */
const execMarginMs = 2000;
/** What a program may take to end whose caller has left, its second of grace included. One that takes longer is stuck in the kernel. */
const leaveMs = 3000;

const noBytes = new Uint8Array(0);

export interface AgentClientInit {
  /** Absolute path of berth-pause. */
  readonly pausePath: string;
}

/** The Agent port over ttrpc, which cannot cancel: a call whose signal aborts goes on in the agent until it ends, but for programs. */
export class AgentClient implements Agent {
  readonly #supervisor: { client(signal?: AbortSignal): Promise<TtrpcClient> };
  readonly #pausePath: string;
  readonly #methods: AgentMethods = agentMethods();
  #programs = 0;

  constructor(components: { readonly supervisor: { client(signal?: AbortSignal): Promise<TtrpcClient> } }, init: AgentClientInit) {
    this.#supervisor = components.supervisor;
    this.#pausePath = init.pausePath;
  }

  async info(signal?: AbortSignal): Promise<AgentInfo> {
    const { cgroupMode, ...info } = await this.#short(this.#methods.info, {}, signal);
    return { ...info, cgroupMode: cgroupMode as AgentInfo['cgroupMode'] };
  }

  async exec(request: ExecRequest, signal?: AbortSignal): Promise<ExecResult> {
    const { argv, env, cwd = '', stdin = noBytes, timeoutMs = 0, detached = false } = request;
    const number = (this.#programs += 1);
    const message = { argv, env: Object.entries(env).map(([name, value]) => `${name}=${value}`), cwd, stdin, timeoutMs, detached, number };
    const client = await this.#supervisor.client(signal);
    signal?.throwIfAborted();
    const stuck = new AbortController();
    const leave = (): void => {
      // A connection that has ended fails the call itself.
      client.call(this.#methods.leaveExec, { number }, { timeoutMs: shortCallMs }).catch(() => undefined);
      timer = setTimeout(() => {
        stuck.abort(signal?.reason);
      }, leaveMs);
    };
    let timer: NodeJS.Timeout | undefined;
    signal?.addEventListener('abort', leave, { once: true });
    try {
      return await client.call(this.#methods.exec, message, { signal: stuck.signal, timeoutMs: timeoutMs === 0 ? undefined : timeoutMs + execMarginMs });
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    }
  }

  async createNamespaces(request: NamespaceRequest, signal?: AbortSignal): Promise<{ readonly pausePid: number }> {
    return this.#short(this.#methods.createNamespaces, { ...request, pausePath: this.#pausePath }, signal);
  }

  async releaseNamespaces(held: HeldNamespaces, signal?: AbortSignal): Promise<void> {
    await this.#short(this.#methods.releaseNamespaces, held, signal);
  }

  async warmCgroups(signal?: AbortSignal): Promise<void> {
    await this.#short(this.#methods.warmCgroups, {}, signal);
  }

  async writeSysctls(netnsPath: string, sysctls: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void> {
    await this.#short(this.#methods.writeSysctls, { netnsPath, sysctls }, signal);
  }

  async networkStats(netnsPath: string, signal?: AbortSignal): Promise<readonly InterfaceStats[]> {
    return (await this.#short(this.#methods.networkStats, { netnsPath }, signal)).interfaces;
  }

  async readCgroups(queries: readonly CgroupQuery[], options: { readonly processes: boolean }, signal?: AbortSignal): Promise<readonly (CgroupReading | undefined)[]> {
    const { readings } = await this.#short(this.#methods.readCgroups, { cgroups: queries, ...options }, signal);
    return readings.map(cgroupReading);
  }

  async statFilesystem(path: string, signal?: AbortSignal): Promise<FilesystemStats> {
    return this.#short(this.#methods.statFilesystem, { path }, signal);
  }

  async lookAtPath({ path, makeDirectory = false, maxBytes = 0, devices = false }: LookRequest): Promise<HostPath> {
    return this.#long(this.#methods.lookAtPath, { path, makeDirectory, maxBytes, devices }, undefined);
  }

  async forwardPort({ netnsPath, port, socketDir }: ForwardRequest, signal?: AbortSignal): Promise<Duplex> {
    return meetAgent(socketDir, (socket) => this.#short(this.#methods.forwardPort, { netnsPath, port, socket }, signal));
  }

  async makeFifos(dir: string, names: readonly string[], signal?: AbortSignal): Promise<void> {
    await this.#short(this.#methods.makeFifos, { dir, names }, signal);
  }

  async mount(mount: FilesystemMount, target: string, signal?: AbortSignal): Promise<void> {
    await this.#short(this.#methods.mount, { mount, target }, signal);
  }

  async unmount(target: string, signal?: AbortSignal): Promise<void> {
    await this.#short(this.#methods.unmount, { target }, signal);
  }

  async unpack(request: UnpackRequest, signal?: AbortSignal): Promise<UnpackResult> {
    const { bytes, inodes, diskBytes, micros } = await this.#long(this.#methods.unpack, request, signal);
    return {
      bytes: Number(bytes),
      inodes: Number(inodes),
      diskBytes: Number(diskBytes),
      micros: Object.fromEntries(Object.entries(micros).map(([name, value]) => [name, Number(value)])),
    };
  }

  async archive(request: ArchiveRequest, signal?: AbortSignal): Promise<void> {
    await this.#long(this.#methods.archive, request, signal);
  }

  async extract(request: ExtractRequest, signal?: AbortSignal): Promise<void> {
    await this.#long(this.#methods.extract, request, signal);
  }

  async mergeLayer(layer: string, target: string, signal?: AbortSignal): Promise<void> {
    await this.#long(this.#methods.mergeLayer, { layer, target }, signal);
  }

  async removeTree(path: string, signal?: AbortSignal): Promise<void> {
    await this.#long(this.#methods.removeTree, { path }, signal);
  }

  async diskUsage(paths: readonly string[], signal?: AbortSignal): Promise<readonly Usage[]> {
    const { usage } = await this.#long(this.#methods.diskUsage, { paths }, signal);
    return usage.map(({ bytes, inodes }) => ({ bytes: Number(bytes), inodes: Number(inodes) }));
  }

  async readSnapshotFiles(mounts: readonly FilesystemMount[], paths: readonly string[], signal?: AbortSignal): Promise<readonly (Uint8Array | undefined)[]> {
    const { files } = await this.#short(this.#methods.readSnapshotFiles, { mounts, paths, offset: 0n }, signal);
    return Promise.all(
      files.map(({ found, content, size }, index) => {
        const path = paths[index] ?? '';
        if (size > maxSnapshotFileBytes) throw new BerthError('invalid', `${path} of the image has ${size} bytes, more than ${maxSnapshotFileBytes}`);
        return found ? this.#readRest({ mounts, path, begin: content, size: Number(size) }, signal) : undefined;
      }),
    );
  }

  /** An answer has room for some megabytes only. */
  async #readRest({ mounts, path, begin, size }: { mounts: readonly FilesystemMount[]; path: string; begin: Uint8Array; size: number }, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const pieces = [begin];
    for (let offset = begin.byteLength; offset < size; ) {
      const { files: [piece] } = await this.#short(this.#methods.readSnapshotFiles, { mounts, paths: [path], offset: BigInt(offset) }, signal);
      if (piece === undefined || piece.content.byteLength === 0) break;
      pieces.push(piece.content);
      offset += piece.content.byteLength;
    }
    return pieces.length === 1 ? begin : Buffer.concat(pieces);
  }

  async resolveInSnapshot(mounts: readonly FilesystemMount[], paths: readonly string[], signal?: AbortSignal): Promise<readonly string[]> {
    return (await this.#short(this.#methods.resolveInSnapshot, { mounts, paths }, signal)).paths;
  }

  async copySnapshotTree(mounts: readonly FilesystemMount[], from: { readonly path: string; readonly target: string }, signal?: AbortSignal): Promise<void> {
    await this.#long(this.#methods.copySnapshotTree, { mounts, ...from }, signal);
  }

  async #short<Request, Response>(method: Method<Request, Response>, request: Request, signal: AbortSignal | undefined): Promise<Response> {
    return (await this.#supervisor.client(signal)).call(method, request, { signal, timeoutMs: shortCallMs });
  }

  async #long<Request, Response>(method: Method<Request, Response>, request: Request, signal: AbortSignal | undefined): Promise<Response> {
    return (await this.#supervisor.client(signal)).call(method, request, { signal });
  }
}
