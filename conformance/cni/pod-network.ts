import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetwork } from '../../src/cni/network.ts';
import type { CniAttachment, CniResult, Network } from '../../src/cni/port.ts';
import { AgentClient } from '../../src/agent/agent-client.ts';
import { AgentSupervisor } from '../../src/agent/agent-supervisor.ts';
import { removeRulesOf, rulesOf } from '../fixtures/iptables.ts';
import { cniBinDirs, createScratch, removeScratch, type Scratch } from '../fixtures/scratch.ts';
import { nativeDirectory } from '../native/private-agent.ts';

/** A namespace that stands for a pod. */
export interface TestPod {
  readonly attachment: CniAttachment;
  /** Where its namespaces are pinned. */
  readonly dir: string;
}

const noLog = (): void => undefined;

/** The network driver on the real agent and real plugins, with a bridge and addresses of its own. */
export class PodNetwork {
  readonly scratch: Scratch = createScratch();
  readonly observed: string[] = [];
  readonly network: Network;
  readonly #supervisor: AgentSupervisor;
  readonly #agent: AgentClient;
  readonly #pods: TestPod[] = [];
  #made = 0;
  readonly #attached = new Map<string, CniResult | undefined>();

  constructor() {
    // Not in a mount namespace of its own: the driver looks at the pins as the daemon does.
    const log = { info: noLog, warn: noLog, error: noLog };
    this.#supervisor = new AgentSupervisor({ log }, { path: join(nativeDirectory, 'berth-agent'), root: this.scratch.dir });
    this.#supervisor.start();
    this.#agent = new AgentClient({ supervisor: this.#supervisor }, { pausePath: join(nativeDirectory, 'berth-pause') });
    mkdirSync(this.#ownBin);
    const observer = { pluginEnded: (type: string, command: string, seconds: number, ok: boolean): unknown => this.observed.push(`${type} ${command} ${ok} ${seconds > 0 && seconds < 30}`) };
    this.network = createNetwork(
      { agent: this.#agent, log, observer },
      { confDir: this.scratch.cniConfDir, binDirs: [this.#ownBin, ...cniBinDirs], environment: process.env },
    );
  }

  /** The addresses that host-local has given out and not taken back. */
  addresses(network = this.scratch.network): readonly string[] {
    const directory = join(this.scratch.ipamDir, network);
    return existsSync(directory) ? readdirSync(directory).filter((name) => /^[\da-f]+[.:]/.test(name)) : [];
  }

  /** Everything that pods hold: addresses, ends of veth pairs on the bridge, rules. */
  held(): { readonly addresses: readonly string[]; readonly ports: readonly string[]; readonly rules: readonly string[] } {
    const ports = `/sys/class/net/${this.scratch.bridge}/brif`;
    return { addresses: this.addresses(), ports: existsSync(ports) ? readdirSync(ports) : [], rules: rulesOf(this.scratch) };
  }

  /** Makes the namespaces of a pod. */
  async pod(more: Partial<CniAttachment> = {}): Promise<TestPod> {
    const id = `pod${(this.#made += 1)}-${this.scratch.id}`;
    const dir = join(this.scratch.dir, id);
    await this.#agent.createNamespaces({ dir, net: true, ipc: false, uts: false, pid: false, uidMappings: [], gidMappings: [], hostname: '', sysctls: {}, pauseCgroups: [] });
    const args = { K8S_POD_NAME: id, K8S_POD_NAMESPACE: 'test' };
    const pod = { dir, attachment: { id, netnsPath: join(dir, 'net'), args, portMappings: [], capabilities: {}, ...more } };
    this.#pods.push(pod);
    return pod;
  }

  async attach({ attachment }: TestPod, signal?: AbortSignal): Promise<CniResult> {
    this.#attached.set(attachment.id, undefined);
    const result = await this.network.attach(attachment, signal);
    this.#attached.set(attachment.id, result);
    return result;
  }

  async detach({ attachment }: TestPod, more: Partial<CniAttachment> = {}): Promise<void> {
    await this.network.detach({ ...attachment, ...more }, this.#attached.get(attachment.id));
  }

  /** Lets the namespace go, as a reboot does. */
  async dropNamespaces({ dir }: TestPod): Promise<void> {
    await this.#agent.releaseNamespaces({ dir, pausePid: 0 });
  }

  /** Runs a command in the pod's network. */
  inside({ dir }: TestPod, ...command: readonly string[]): string {
    return execFileSync('nsenter', [`--net=${join(dir, 'net')}`, '--', ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  }

  configure(name: string, value: object): void {
    writeFileSync(join(this.scratch.cniConfDir, name), JSON.stringify(value));
  }

  /** The chain that the scratch place comes with, and plugins after it. */
  chain(...more: readonly object[]): { readonly cniVersion: string; readonly name: string; readonly plugins: readonly object[] } {
    const { cniVersion, name, plugins } = JSON.parse(readFileSync(join(this.scratch.cniConfDir, '10-fixture.conflist'), 'utf8')) as { cniVersion: string; name: string; plugins: object[] };
    return { cniVersion, name, plugins: [...plugins, ...more] };
  }

  /** A plugin written in shell. It finds what it was told in $input and the command in $CNI_COMMAND; `out DIR` is a place for notes. */
  plugin(type: string, script: string): void {
    const version = '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}';
    const path = join(this.#ownBin, type);
    writeFileSync(path, `#!/bin/sh\ninput=$(cat)\nnotes=${this.scratch.dir}\nif [ $CNI_COMMAND = VERSION ]; then echo '${version}'; exit; fi\n${script}\n`);
    chmodSync(path, 0o755);
  }

  /** What a plugin wrote into `$notes/NAME`. */
  note(name: string): string {
    return readFileSync(join(this.scratch.dir, name), 'utf8');
  }

  async close(): Promise<void> {
    this.network.close();
    for (const pod of this.#pods) await this.dropNamespaces(pod);
    await this.#supervisor.close();
    removeRulesOf(this.scratch);
    removeScratch(this.scratch);
  }

  get #ownBin(): string {
    return join(this.scratch.dir, 'bin');
  }
}
