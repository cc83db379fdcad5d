import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCgroup } from '../fixtures/cgroups.ts';
import { freePort } from '../fixtures/free-port.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { ServiceProcess } from '../fixtures/service-process.ts';
import { peerPath } from '../peers/build.ts';
import { commonConfiguration, fixedCgroups, fixedPaths, nodeName, type KubeletPlace } from './configuration.ts';
import { readKernelTunables, writeKernelTunables } from './kernel-tunables.ts';
import { KubeletApi, type KubePod } from './kubelet-api.ts';

function configuration(place: KubeletPlace, featureGates: Readonly<Record<string, boolean>>): object {
  return {
    ...commonConfiguration(place),
    staticPodPath: join(place.directory, 'manifests'),
    address: '127.0.0.1',
    fileCheckFrequency: '1s',
    featureGates: { KubeletCrashLoopBackOffMax: true, ...featureGates },
  };
}

/** The real kubelet without an API server, running the static pods of a directory on a runtime under test. */
export class Kubelet implements AsyncDisposable {
  readonly #place: KubeletPlace;
  readonly #tunables = readKernelTunables();
  #process: ServiceProcess;
  readonly api: KubeletApi;

  private constructor(place: KubeletPlace, process: ServiceProcess) {
    this.#place = place;
    this.#process = process;
    this.api = new KubeletApi(place.port);
  }

  static async start(node: NodeDaemon): Promise<Kubelet> {
    const place = { node, directory: mkdtempSync('/tmp/bk-'), port: await freePort() };
    for (const name of ['manifests', 'logs', 'plugins', 'root', 'pki']) mkdirSync(join(place.directory, name));
    for (const name of fixedCgroups) makeCgroup(join(node.scratch.cgroup, name));
    node.namespace.cover(fixedPaths);
    const kubelet = new Kubelet(place, spawnKubelet(place, {}));
    try {
      await kubelet.#ready();
    } catch (error) {
      await kubelet.close();
      throw error;
    }
    return kubelet;
  }

  async #ready(): Promise<void> {
    await this.#process.ready(async () => this.api.text('/healthz'), 60_000);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Everything that it logged, over all of its lives. */
  log(): string {
    return readFileSync(join(this.#place.directory, 'kubelet.log'), 'utf8');
  }

  /** Writes a static pod's manifest; returns the name that the pod gets. */
  apply(name: string, spec: object): string {
    const manifest = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', labels: { app: name } }, spec };
    // Renamed into place: the kubelet watches the directory and would read a half written file.
    const written = join(this.#place.directory, `${name}.json`);
    writeFileSync(written, JSON.stringify(manifest));
    renameSync(written, join(this.#place.directory, 'manifests', `${name}.json`));
    return `${name}-${nodeName}`;
  }

  /** Removes a static pod's manifest. */
  withdraw(name: string): void {
    rmSync(join(this.#place.directory, 'manifests', `${name}.json`));
  }

  /** Polls the pod until `accept` takes it. @throws Error with its last status when time is up. */
  async until(pod: string, accept: (pod: KubePod) => boolean, timeoutMs = 60_000): Promise<KubePod> {
    const deadline = Date.now() + timeoutMs;
    let last: KubePod | undefined;
    while (Date.now() < deadline) {
      last = await this.api.pod(pod).catch(() => undefined);
      if (last !== undefined && accept(last)) return last;
      await sleep(200);
    }
    throw new Error(`${pod} did not get there within ${timeoutMs} ms; its status: ${JSON.stringify(last?.status)}; the kubelet's log ends:\n${this.#process.tail()}`);
  }

  /** Ends it and starts another on the same directories. */
  async restart(featureGates: Readonly<Record<string, boolean>> = {}): Promise<void> {
    await this.#process.stop();
    this.#process = spawnKubelet(this.#place, featureGates);
    await this.#ready();
  }

  async close(): Promise<void> {
    await this.api.close();
    await this.#process.stop();
    writeKernelTunables(this.#tunables);
    rmSync(this.#place.directory, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function spawnKubelet(place: KubeletPlace, featureGates: Readonly<Record<string, boolean>>): ServiceProcess {
  const { directory, node } = place;
  const config = join(directory, 'kubelet.json');
  writeFileSync(config, JSON.stringify(configuration(place, featureGates)));
  const flags = [`--config=${config}`, `--root-dir=${join(directory, 'root')}`, `--cert-dir=${join(directory, 'pki')}`, `--hostname-override=${nodeName}`, '--node-ip=127.0.0.1', '--v=2'];
  return new ServiceProcess({ name: 'kubelet', command: node.namespace.enter([peerPath('kubelet'), ...flags]), log: join(directory, 'kubelet.log') });
}
