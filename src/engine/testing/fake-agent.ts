import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { BerthError, messageOf } from '../../lib/errors.ts';
import { readDevice } from '../../lib/host-facts.ts';
import type { Agent, AgentInfo, ArchiveRequest, CgroupQuery, CgroupReading, ExecRequest, ExecResult, ExtractRequest, FilesystemMount, FilesystemStats, ForwardRequest, HeldNamespaces, HostDevice, HostPath, InterfaceStats, LookRequest, NamespaceRequest, UnpackResult, Usage } from '../../agent/port.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const kinds = ['net', 'ipc', 'uts', 'pid'] as const;

const nothing: HostPath = { path: '', problem: '', kind: '', content: new Uint8Array(0), devices: [] };

function kindOf(path: string): HostPath['kind'] {
  if (readDevice(path) !== undefined) return 'device';
  const stat = statSync(path);
  if (stat.isDirectory()) return 'directory';
  return stat.isFile() ? 'file' : 'other';
}

function devicesAt(path: string, kind: HostPath['kind']): readonly HostDevice[] {
  const names = kind === 'directory' ? readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isCharacterDevice()).map(({ name }) => name) : [''];
  return names.flatMap((name) => {
    const device = readDevice(join(path, name));
    return device === undefined ? [] : [{ ...device, path: name, block: device.type === 'b', mode: device.fileMode }];
  });
}

/** An agent that remembers what it made. Directories are real, mounts and namespaces are not. */
export class FakeAgent implements Agent {
  readonly namespaces = new Map<string, NamespaceRequest>();
  readonly mounts = new Map<string, FilesystemMount>();
  readonly copied: string[] = [];
  readonly sysctlsWritten: { readonly netnsPath: string; readonly sysctls: Readonly<Record<string, string>> }[] = [];
  readonly extracted: string[] = [];
  readonly forwarded: ForwardRequest[] = [];
  /** Something listens on this port everywhere. */
  readonly listening = 80;
  /** Files that every image has. */
  readonly files = new Map([
    ['/etc/passwd', 'root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n'],
    ['/etc/group', 'root:x:0:\nweb:x:1000:\nextra:x:50000:web\n'],
  ]);
  /** Links that every image has, and where they lead. */
  readonly links = new Map([['/var/run', '/run'], ['/kernel', '/proc/sys']]);
  features = '{}';
  /** Paths whose file system does not answer. */
  hangs: readonly string[] = [];
  idmappedMounts = true;
  answers = true;
  /** The first process of every shared PID namespace that is made: our own lives. */
  pausePid = process.pid;
  /** Cgroups that exist, by their path. */
  readonly cgroups = new Map<string, CgroupReading>();

  async info(): Promise<AgentInfo> {
    if (!this.answers) throw new BerthError('unavailable', 'the agent is away');
    return { version: '1', pid: 1, idmappedMounts: this.idmappedMounts, cgroupMode: 'hybrid' };
  }

  async exec(request: ExecRequest): Promise<ExecResult> {
    const known = request.argv.at(-1) === 'features';
    return { stdout: text(known ? this.features : ''), stderr: new Uint8Array(0), exitCode: known ? 0 : 1 };
  }

  async createNamespaces(request: NamespaceRequest): Promise<{ readonly pausePid: number }> {
    if (kinds.every((kind) => !request[kind]) && request.uidMappings.length === 0) throw new BerthError('invalid', 'no namespace was asked for');
    if (this.namespaces.has(request.dir)) throw new BerthError('already-exists', `${request.dir} is pinned already`);
    mkdirSync(request.dir);
    for (const kind of kinds.filter((each) => request[each])) symlinkSync(`/proc/self/ns/${kind}`, join(request.dir, kind));
    this.namespaces.set(request.dir, request);
    return { pausePid: request.pid ? this.pausePid : 0 };
  }

  async releaseNamespaces({ dir }: HeldNamespaces): Promise<void> {
    this.namespaces.delete(dir);
    rmSync(dir, { recursive: true, force: true });
  }

  async warmCgroups(): Promise<void> {}

  async writeSysctls(netnsPath: string, sysctls: Readonly<Record<string, string>>): Promise<void> {
    this.sysctlsWritten.push({ netnsPath, sysctls });
  }

  async networkStats(netnsPath: string): Promise<readonly InterfaceStats[]> {
    const none = { rxBytes: 0n, rxPackets: 0n, rxErrors: 0n, rxDropped: 0n, txBytes: 0n, txPackets: 0n, txErrors: 0n, txDropped: 0n };
    return [...this.namespaces.keys()].some((dir) => netnsPath === join(dir, 'net')) ? [{ ...none, name: 'eth0', rxBytes: 7n }] : [];
  }

  async readCgroups(queries: readonly CgroupQuery[], { processes }: { readonly processes: boolean }): Promise<readonly (CgroupReading | undefined)[]> {
    return queries.map(({ cgroupsPath }) => {
      const reading = this.cgroups.get(cgroupsPath);
      return reading && { ...reading, stats: { ...reading.stats, processes: processes ? { fileDescriptors: 9n, sockets: 1n } : undefined } };
    });
  }

  async statFilesystem(): Promise<FilesystemStats> {
    return { device: '/dev/vda', bytes: 1n << 30n, inodes: 1000n, inodesFree: 900n };
  }

  async lookAtPath({ path, makeDirectory = false, maxBytes = 0, devices = false }: LookRequest): Promise<HostPath> {
    if (this.hangs.some((hung) => path === hung || path.startsWith(`${hung}/`))) return new Promise(() => undefined);
    try {
      if (makeDirectory && !existsSync(path)) mkdirSync(path, { recursive: true });
      const kind = kindOf(path);
      const content = kind === 'file' && maxBytes > 0 ? readFileSync(path).subarray(0, maxBytes) : nothing.content;
      return { path: realpathSync(path), problem: '', kind, content, devices: devices ? devicesAt(path, kind) : [] };
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? nothing : { ...nothing, problem: messageOf(error) };
    }
  }

  async forwardPort(request: ForwardRequest): Promise<Duplex> {
    if (request.port !== this.listening) throw new BerthError('precondition', 'connection refused');
    this.forwarded.push(request);
    return duplexPair()[0];
  }

  async makeFifos(dir: string): Promise<void> {
    mkdirSync(dir);
  }

  async mount(mount: FilesystemMount, target: string): Promise<void> {
    if (this.mounts.has(target)) throw new BerthError('internal', `${target} is mounted already`);
    this.mounts.set(target, mount);
  }

  async unmount(target: string): Promise<void> {
    for (const path of this.mounts.keys()) if (path === target || path.startsWith(`${target}/`)) this.mounts.delete(path);
  }

  async unpack(): Promise<UnpackResult> {
    throw new BerthError('unimplemented', 'the engine unpacks nothing');
  }

  /** What is written is a directory here; an upper directory has nothing in it. */
  async archive({ source, target, overlayUpper }: ArchiveRequest): Promise<void> {
    if (existsSync(target)) throw new BerthError('internal', `${target} exists`);
    if (overlayUpper) writeFileSync(target, 'layer');
    else cpSync(source, target, { recursive: true });
  }

  async extract({ archive, dir }: ExtractRequest): Promise<void> {
    this.extracted.push(dir);
    if (statSync(archive).isDirectory()) cpSync(archive, dir, { recursive: true });
  }

  async mergeLayer(layer: string, target: string): Promise<void> {
    cpSync(layer, target, { recursive: true });
  }

  async removeTree(path: string): Promise<void> {
    const below = [...this.mounts.keys(), ...this.namespaces.keys()].filter((used) => used.startsWith(`${path}/`));
    if (below.length > 0) throw new BerthError('internal', `${path} is in use: ${below.join(', ')}`);
    rmSync(path, { recursive: true, force: true });
  }

  async diskUsage(paths: readonly string[]): Promise<readonly Usage[]> {
    return paths.map(() => ({ bytes: 0, inodes: 0 }));
  }

  async readSnapshotFiles(_mounts: readonly FilesystemMount[], paths: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    return paths.map((path) => {
      const content = this.files.get(path);
      return content === undefined ? undefined : text(content);
    });
  }

  async resolveInSnapshot(_mounts: readonly FilesystemMount[], paths: readonly string[]): Promise<readonly string[]> {
    return paths.map((path) => this.links.get(path) ?? path);
  }

  async copySnapshotTree(_mounts: readonly FilesystemMount[], from: { readonly path: string; readonly target: string }): Promise<void> {
    writeFileSync(join(from.target, 'from-image'), from.path);
    this.copied.push(from.path);
  }

  /** What a reboot leaves of namespaces and mounts. */
  reboot(): void {
    this.namespaces.clear();
    this.mounts.clear();
  }
}
