/**
 * Builds the real programs that berth is tested against and compared with, from the Go modules beside this folder, into
 * `build/peers`. What is there already stays; a cold kubelet takes minutes.
 *
 * Run alone (`node conformance/peers/build.ts`) it builds all of them.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackage } from '../fixtures/debian.ts';

const conformance = join(import.meta.dirname, '..');

/** Where the built programs are. */
export const peersDir = join(conformance, '../build/peers');

interface Peer {
  readonly module: string;
  readonly packagePath: string;
  readonly ldflags?: string;
  readonly tags?: string;
  /** What cgo needs; without it the program is built without C. */
  readonly cgo?: () => Readonly<Record<string, string>>;
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
} as const satisfies Record<string, Peer>;

/** A program that this file can build. */
export type PeerName = keyof typeof peers;

/** The path of a built peer; it exists after {@link buildPeers} has named it. */
export const peerPath = (name: PeerName): string => join(peersDir, name);

/** Why peers cannot be built here, or undefined when they can. */
export function whyNotBuildable(): string | undefined {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'Go is not installed, so what is made with it cannot be built';
  }
}

async function goBuild(name: PeerName, print: (line: string) => void): Promise<void> {
  const peer: Peer = peers[name];
  const partial = `${peerPath(name)}.partial`;
  print(`building ${name} (${peer.packagePath})`);
  const began = Date.now();
  const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', `-s -w ${peer.ldflags ?? ''}`, '-tags', peer.tags ?? '', '-o', partial, peer.packagePath];
  const child = spawn('go', args, {
    cwd: join(conformance, peer.module),
    env: { ...process.env, CGO_ENABLED: peer.cgo === undefined ? '0' : '1', ...peer.cgo?.() },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status) => {
      resolve(status ?? 1);
    });
  });
  if (code !== 0) throw new Error(`go build of ${name} failed with exit code ${code}`);
  // A build that was cut off must not look like a finished one.
  renameSync(partial, peerPath(name));
  print(`built ${name} in ${Math.round((Date.now() - began) / 1000)} s`);
}

/** Builds those of `names` that are missing, one after another: the Go toolchain uses every core by itself. */
export async function buildPeers(names: readonly PeerName[], print: (line: string) => void = console.log): Promise<void> {
  mkdirSync(peersDir, { recursive: true });
  for (const name of names) {
    if (!existsSync(peerPath(name))) await goBuild(name, print);
  }
}

if (import.meta.main) await buildPeers(Object.keys(peers) as PeerName[]);
