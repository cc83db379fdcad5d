import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startBerth } from '../fixtures/daemon.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { Registry } from '../fixtures/registry.ts';
import { TestImages } from '../fixtures/test-images.ts';
import { nodeName } from '../kubelet/configuration.ts';
import type { PeerName } from '../peers/build.ts';
import { ClusterKubelet } from './cluster-kubelet.ts';
import { apiPort, ControlPlane } from './control-plane.ts';
import { Credentials } from './credentials.ts';
import { Kubectl } from './kubectl.ts';
import { startMetricsServer } from './metrics-server.ts';
import { NodeNetwork } from './node-network.ts';
import type { Traces } from './remains.ts';

/** The programs that a cluster is made of. */
export const clusterPeers: readonly PeerName[] = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kubectl', 'metrics-server'];

interface Parts {
  readonly directory: string;
  readonly network: NodeNetwork;
  readonly registry: Registry;
  readonly secured: Registry;
  readonly node: NodeDaemon;
  readonly kubelet: ClusterKubelet;
  readonly kubectl: Kubectl;
  readonly busybox: string;
}

interface NodeStatus {
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/**
 * A whole Kubernetes of one node, in a network of its own: etcd, API server, controllers, scheduler, metrics-server, the
 * kubelet, berthd, and registries on this machine's side of the link. `close` leaves nothing of it.
 */
export class Cluster implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(parts: Parts, cleanup: AsyncDisposableStack) {
    this.#parts = parts;
    this.#cleanup = cleanup;
  }

  /** Starts all of it and waits until the node is Ready. The programs must have been built. */
  static async start(): Promise<Cluster> {
    await using undo = new AsyncDisposableStack();
    const parts = await assemble(undo);
    const cluster = new Cluster(parts, undo.move());
    try {
      await cluster.nodeReady();
      // Without it no pod may be made.
      await cluster.kubectl.until('serviceaccount', 'default', () => true);
    } catch (error) {
      const log = parts.kubelet.log.slice(-3000);
      await cluster.close();
      throw new Error(`the cluster did not come up; the kubelet's log ends:\n${log}`, { cause: error });
    }
    parts.node.markClean();
    return cluster;
  }

  get kubectl(): Kubectl {
    return this.#parts.kubectl;
  }

  get node(): NodeDaemon {
    return this.#parts.node;
  }

  get kubelet(): ClusterKubelet {
    return this.#parts.kubelet;
  }

  get registry(): Registry {
    return this.#parts.registry;
  }

  /** Another one, which wants a user name and a password. */
  get secured(): Registry {
    return this.#parts.secured;
  }

  get network(): NodeNetwork {
    return this.#parts.network;
  }

  /** Keeps the cluster's files: kubeconfigs, data, logs. */
  get directory(): string {
    return this.#parts.directory;
  }

  /** Reference of static busybox. */
  get busybox(): string {
    return this.#parts.busybox;
  }

  /** What to look for when it is gone. */
  get traces(): Traces {
    return { directory: this.directory, link: this.#parts.network.link, scratch: this.node.scratch };
  }

  get kubeconfig(): string {
    return join(this.directory, 'kubeconfig');
  }

  /** Waits until the node says Ready. */
  async nodeReady(): Promise<void> {
    await this.kubectl.until<NodeStatus>('node', nodeName, ({ status }) => status.conditions?.some(({ type, status: met }) => type === 'Ready' && met === 'True') ?? false, 90_000);
  }

  async close(): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Makes the parts, each with its undo on `undo`, so that whatever fails takes down what came before it. */
async function assemble(undo: AsyncDisposableStack): Promise<Parts> {
  const directory = mkdtempSync('/tmp/bc-');
  undo.defer(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  // Pods mount volumes from below it, also as other users.
  chmodSync(directory, 0o711);
  for (const name of ['registry', 'secured', 'kubelet', 'home']) mkdirSync(join(directory, name));
  const network = undo.use(NodeNetwork.create());
  const registry = undo.use(await Registry.start({ directory: join(directory, 'registry'), address: network.hostAddress }));
  const secured = undo.use(await Registry.start({ directory: join(directory, 'secured'), address: network.hostAddress, auth: 'basic' }));
  const busybox = await registry.push('busybox', '1', new TestImages().busybox());
  const node = undo.use(await startBerth({ insecureRegistries: [registry.host, secured.host], ownNetwork: true }));
  network.join(node.namespace.pid);
  network.routePods(node.scratch.subnet);
  const credentials = new Credentials(directory, `https://${network.nodeAddress}:${apiPort}`);
  const kubectl = new Kubectl(credentials.kubeconfig('admin'), join(directory, 'home'));
  const address = network.nodeAddress;
  const plane = undo.use(await ControlPlane.start({ directory, address, credentials, kubectl, enter: (command) => node.namespace.enter(command) }));
  const kubelet = undo.use(ClusterKubelet.start({ node, directory: join(directory, 'kubelet'), port: 10_250, address, kubeconfig: credentials.kubeconfig('kubelet') }));
  await startMetricsServer({ directory, address, plane, kubectl, credentials });
  return { directory, network, registry, secured, node, kubelet, kubectl, busybox };
}
