/**
 * Builds the real programs that berth is tested against and compared with, from the Go modules beside this folder and from
 * crates, into `build/peers`. What is there already stays; a cold kubelet takes minutes.
 *
 * Run alone (`node conformance/peers/build.ts`) it builds all of them.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackage } from '../fixtures/debian.ts';

const conformance = join(import.meta.dirname, '..');

/** Where the built programs are. */
export const peersDir = join(conformance, '../build/peers');

interface GoPeer {
  readonly module: string;
  readonly packagePath: string;
  readonly ldflags?: string;
  readonly tags?: string;
  /** What cgo needs; without it the program is built without C. */
  readonly cgo?: () => Readonly<Record<string, string>>;
}

/** A program of a published crate, which pins its dependencies itself. */
interface CratePeer {
  readonly crate: string;
  readonly version: string;
}

/** The headers and the archive of libseccomp, of a Debian package that need not be installed. */
function libseccomp(): Readonly<Record<string, string>> {
  const root = debianPackage('libseccomp-dev');
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  // Go's cache does not know what pkg-config said: without the path in CGO_LDFLAGS another checkout's would be used.
  return { PKG_CONFIG_SYSROOT_DIR: root, PKG_CONFIG_LIBDIR: join(libraries, 'pkgconfig'), CGO_LDFLAGS: `-O2 -g -L${libraries}` };
}

const containerd = 'github.com/containerd/containerd/v2';

/** What a Kubernetes program says its version is; clients compare. */
const kubernetes = '-X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37';

const peers = {
  containerd: { module: 'peers', packagePath: `${containerd}/cmd/containerd`, ldflags: `-X ${containerd}/version.Version=v2.4.2` },
  'containerd-shim-runc-v2': { module: 'peers', packagePath: `${containerd}/cmd/containerd-shim-runc-v2` },
  'containerd-shim-runc-v2-rs': { crate: 'containerd-runc-shim', version: '0.2.0' },
  ctr: { module: 'peers', packagePath: `${containerd}/cmd/ctr` },
  // Debian's OCI runtimes are too old for user namespaces and recursive read-only mounts.
  runc: { module: 'peers', packagePath: 'github.com/opencontainers/runc', tags: 'seccomp', cgo: libseccomp },
  'streaming-client': { module: 'streaming', packagePath: './client' },
  kubelet: { module: 'kubelet', packagePath: 'k8s.io/kubernetes/cmd/kubelet', ldflags: kubernetes },
  etcd: { module: 'kubelet', packagePath: './etcd' },
  'kube-apiserver': { module: 'kubelet', packagePath: 'k8s.io/kubernetes/cmd/kube-apiserver', ldflags: kubernetes },
  'kube-controller-manager': { module: 'kubelet', packagePath: 'k8s.io/kubernetes/cmd/kube-controller-manager', ldflags: kubernetes },
  'kube-scheduler': { module: 'kubelet', packagePath: 'k8s.io/kubernetes/cmd/kube-scheduler', ldflags: kubernetes },
  kubectl: { module: 'kubelet', packagePath: 'k8s.io/kubernetes/cmd/kubectl', ldflags: kubernetes },
  'metrics-server': { module: 'kubelet', packagePath: 'sigs.k8s.io/metrics-server/cmd/metrics-server' },
} as const satisfies Record<string, GoPeer | CratePeer>;

/** A program that this file can build. */
export type PeerName = keyof typeof peers;

/** The path of a built peer; it exists after {@link buildPeers} has named it. */
export const peerPath = (name: PeerName): string => join(peersDir, name);

/** Why peers, or this one, cannot be built here, or undefined when they can. */
export function whyNotBuildable(name?: PeerName): string | undefined {
  const [tool, toolchain] = name !== undefined && 'crate' in peers[name] ? ['cargo', 'Rust'] : ['go', 'Go'];
  try {
    execFileSync(tool, [tool === 'go' ? 'version' : '--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return `${toolchain} is not installed, so what is made with it cannot be built`;
  }
}

async function build(name: PeerName, print: (line: string) => void): Promise<void> {
  const peer: GoPeer | CratePeer = peers[name];
  print(`building ${name} (${'crate' in peer ? `crate ${peer.crate}` : peer.packagePath})`);
  const began = Date.now();
  await ('crate' in peer ? cargoInstall(name, peer) : goBuild(name, peer));
  print(`built ${name} in ${Math.round((Date.now() - began) / 1000)} s`);
}

/** A peer is measured nowhere: it may be slow, and compiled in half the time. */
const quickRelease = { CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_OPT_LEVEL: '1', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' };

/** cargo installs what is whole, or nothing. What it compiled until it was cut off serves the next attempt. */
async function cargoInstall(name: PeerName, { crate, version }: CratePeer): Promise<void> {
  const root = join(peersDir, 'cargo');
  await run(name, 'cargo', ['install', '--quiet', '--locked', '--version', version, '--root', root, '--target-dir', join(root, 'target'), crate], { cwd: conformance, env: { ...process.env, ...quickRelease } });
  renameSync(join(root, 'bin', name), peerPath(name));
  rmSync(root, { recursive: true });
}

async function goBuild(name: PeerName, peer: GoPeer): Promise<void> {
  const partial = `${peerPath(name)}.partial`;
  const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', `-s -w ${peer.ldflags ?? ''}`, '-tags', peer.tags ?? '', '-o', partial, peer.packagePath];
  await run(name, 'go', args, { cwd: join(conformance, peer.module), env: { ...process.env, CGO_ENABLED: peer.cgo === undefined ? '0' : '1', ...peer.cgo?.() } });
  // A build that was cut off must not look like a finished one.
  renameSync(partial, peerPath(name));
}

async function run(name: PeerName, tool: string, args: readonly string[], where: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<void> {
  const child = spawn(tool, args, { ...where, stdio: ['ignore', 'inherit', 'inherit'] });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status) => {
      resolve(status ?? 1);
    });
  });
  if (code !== 0) throw new Error(`${tool} cannot build ${name}: exit code ${code}`);
}

/** Builds those of `names` that are missing, one after another: the toolchains use every core by themselves. */
export async function buildPeers(names: readonly PeerName[], print: (line: string) => void = console.log): Promise<void> {
  mkdirSync(peersDir, { recursive: true });
  for (const name of names) {
    if (!existsSync(peerPath(name))) await build(name, print);
  }
}

if (import.meta.main) await buildPeers(Object.keys(peers) as PeerName[]);
