import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ServiceProcess } from '../fixtures/service-process.ts';
import { peerPath, type PeerName } from '../peers/build.ts';
import type { Credentials } from './credentials.ts';
import type { Kubectl } from './kubectl.ts';

export interface ControlPlanePlace {
  readonly directory: string;
  /** Where the API server listens. */
  readonly address: string;
  readonly credentials: Credentials;
  readonly kubectl: Kubectl;
  /** Makes a command that runs in the node's namespaces. */
  readonly enter: (command: readonly [string, ...string[]]) => readonly [string, ...string[]];
}

export const apiPort = 6443;

function apiserverFlags({ address, credentials }: ControlPlanePlace): readonly string[] {
  const { frontProxy, serviceAccountKey } = credentials;
  return [
    '--etcd-servers=http://127.0.0.1:2379',
    `--bind-address=${address}`,
    `--advertise-address=${address}`,
    `--secure-port=${apiPort}`,
    `--cert-dir=${credentials.serverDirectory}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${serviceAccountKey}`,
    `--service-account-signing-key-file=${serviceAccountKey}`,
    `--token-auth-file=${credentials.tokenFile}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged',
    // Without it, logs and exec would resolve the node's name.
    '--kubelet-preferred-address-types=InternalIP',
    `--requestheader-client-ca-file=${frontProxy.ca.cert}`,
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${frontProxy.client.cert}`,
    `--proxy-client-key-file=${frontProxy.client.key}`,
    // Nobody serves the addresses of services here.
    '--enable-aggregator-routing',
  ];
}

const asClient = (kubeconfig: string): readonly string[] => [`--kubeconfig=${kubeconfig}`, `--authentication-kubeconfig=${kubeconfig}`, `--authorization-kubeconfig=${kubeconfig}`];

function controllerFlags({ directory, credentials }: ControlPlanePlace): readonly string[] {
  return [
    ...asClient(credentials.kubeconfig('controller-manager')),
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--cert-dir=${join(directory, 'controller-manager')}`,
    '--use-service-account-credentials',
    `--service-account-private-key-file=${credentials.serviceAccountKey}`,
    `--root-ca-file=${credentials.serverCertificate}`,
    '--node-monitor-period=1s',
  ];
}

function schedulerFlags({ directory, credentials }: ControlPlanePlace): readonly string[] {
  return [...asClient(credentials.kubeconfig('scheduler')), '--leader-elect=false', '--bind-address=127.0.0.1', `--cert-dir=${join(directory, 'scheduler')}`];
}

/** etcd, the API server, the controllers and the scheduler of one cluster. */
export class ControlPlane implements AsyncDisposable {
  readonly #place: ControlPlanePlace;
  readonly #processes: ServiceProcess[] = [];

  private constructor(place: ControlPlanePlace) {
    this.#place = place;
  }

  /** Starts them and waits until the API server is ready. */
  static async start(place: ControlPlanePlace): Promise<ControlPlane> {
    const plane = new ControlPlane(place);
    try {
      // What is in it dies with the cluster, so nothing waits for a disk.
      plane.#run('etcd', [`--data-dir=${join(place.directory, 'etcd')}`, '--unsafe-no-fsync', '--log-level=warn']);
      const api = plane.#run('kube-apiserver', apiserverFlags(place));
      await api.ready(async () => place.kubectl.run(['get', '--raw', '/readyz']), 60_000);
      plane.#run('kube-controller-manager', controllerFlags(place));
      plane.#run('kube-scheduler', schedulerFlags(place));
    } catch (error) {
      await plane.close();
      throw error;
    }
    return plane;
  }

  /** Starts one more server beside the control plane, which ends with it. */
  run(name: PeerName, flags: readonly string[]): ServiceProcess {
    return this.#run(name, flags);
  }

  #run(name: PeerName, flags: readonly string[]): ServiceProcess {
    mkdirSync(join(this.#place.directory, 'logs'), { recursive: true });
    const process = new ServiceProcess({ name, command: this.#place.enter([peerPath(name), ...flags]), log: join(this.#place.directory, `logs/${name}.log`) });
    this.#processes.push(process);
    return process;
  }

  /** Ends them, the last one first. */
  async close(): Promise<void> {
    // An API server waits a minute for its watchers; nothing here is worth that.
    for (const process of this.#processes.toReversed()) await process.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
