import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCgroup } from '../fixtures/cgroups.ts';
import { ServiceProcess } from '../fixtures/service-process.ts';
import { commonConfiguration, fixedCgroups, fixedPaths, nodeName, type KubeletPlace } from '../kubelet/configuration.ts';
import { readKernelTunables, writeKernelTunables } from '../kubelet/kernel-tunables.ts';
import { peerPath } from '../peers/build.ts';

export interface ClusterKubeletPlace extends KubeletPlace {
  /** The node's address. */
  readonly address: string;
  readonly kubeconfig: string;
}

/** The kubelet of a cluster's node. */
export class ClusterKubelet implements AsyncDisposable {
  readonly #place: ClusterKubeletPlace;
  readonly #tunables = readKernelTunables();
  #process: ServiceProcess;

  private constructor(place: ClusterKubeletPlace) {
    this.#place = place;
    this.#process = spawnKubelet(place);
  }

  static start(place: ClusterKubeletPlace): ClusterKubelet {
    for (const name of ['logs', 'plugins', 'root', 'pki']) mkdirSync(join(place.directory, name), { recursive: true });
    for (const name of fixedCgroups) makeCgroup(join(place.node.scratch.cgroup, name));
    place.node.namespace.cover(fixedPaths);
    return new ClusterKubelet(place);
  }

  get log(): string {
    return readFileSync(join(this.#place.directory, 'kubelet.log'), 'utf8');
  }

  /** SIGKILL: what a crash does. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Starts another one on the same directories. */
  startAgain(): void {
    this.#process = spawnKubelet(this.#place);
  }

  async close(): Promise<void> {
    await this.#process.stop();
    writeKernelTunables(this.#tunables);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function spawnKubelet(place: ClusterKubeletPlace): ServiceProcess {
  const { address, directory, kubeconfig, node } = place;
  const config = join(directory, 'kubelet.json');
  const settings = { ...commonConfiguration(place), address, featureGates: { KubeletCrashLoopBackOffMax: true }, nodeStatusUpdateFrequency: '2s' };
  writeFileSync(config, JSON.stringify(settings));
  const flags = [`--config=${config}`, `--kubeconfig=${kubeconfig}`, `--root-dir=${join(directory, 'root')}`, `--cert-dir=${join(directory, 'pki')}`, `--hostname-override=${nodeName}`, `--node-ip=${address}`, '--v=2'];
  return new ServiceProcess({ name: 'kubelet', command: node.namespace.enter([peerPath('kubelet'), ...flags]), log: join(directory, 'kubelet.log') });
}
