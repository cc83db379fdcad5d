import { expect, vi } from 'vitest';
import { pidOf } from '../cri/cgroup-file.ts';
import { Cri } from '../fixtures/cri.ts';
import type { ContainerConfig, ContainerState, ContainerStatus, PodConfig } from '../fixtures/cri-types.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { Guest } from './guest.ts';
import type { Release } from './base-image.ts';
import { busybox } from './payload.ts';

export interface Pod {
  readonly id: string;
  readonly config: PodConfig;
}

/** What a pod may be made with. */
export interface PodWish {
  readonly handler?: string;
  /** Absolute below the hierarchy, as the kubelet sends it. Default: berthd's own. */
  readonly parent?: string;
  /** Its containers share their processes. */
  readonly sharedProcesses?: boolean;
  readonly security?: Readonly<Record<string, unknown>>;
}

/** How a container of the suite differs from a plain one. */
export interface ContainerWish {
  readonly image?: string;
  readonly resources?: Readonly<Record<string, unknown>>;
  readonly security?: Readonly<Record<string, unknown>>;
}

/** Runs for ever and heeds SIGTERM; says so first. */
export const waiting: readonly string[] = ['sh', '-c', 'trap "exit 0" TERM; echo waits; while :; do sleep 1; done'];

/** A Debian machine and the CRI of its berthd, with the steps that the checks share. */
export class DebianNode {
  readonly guest: Guest;
  readonly cri: Cri;
  #made = 0;

  private constructor(guest: Guest) {
    this.guest = guest;
    this.cri = new Cri(guest.socket);
  }

  static async start(release: Release): Promise<DebianNode> {
    return new DebianNode(await Guest.start(release));
  }

  async run(script: string, timeoutMs?: number): Promise<string> {
    return this.guest.run(script, timeoutMs);
  }

  /** Waits until berthd answers and says that pods can run. */
  async ready(): Promise<void> {
    // Hooks wait for it, too, and `expect.poll` is for tests alone.
    await vi.waitFor(async () => { expect(await this.#unmet()).toEqual([]); }, { timeout: 600_000, interval: 1000 });
  }

  async #unmet(): Promise<readonly string[]> {
    try {
      const { status } = await this.cri.call<{ status: { conditions: readonly { type: string; status: boolean; message: string }[] } }>('Status', {}, 10_000);
      return status.conditions.filter(({ status: met }) => !met).map(({ type, message }) => `${type}: ${message}`);
    } catch (error) {
      return [String(error)];
    }
  }

  /** Runs commands of INSTALL.md from where the package lies, as a person would who answers every question with yes. */
  async follow(commands: string): Promise<string> {
    const feed = `cat >/root/step.sh <<'END OF STEP'\n${commands}\nEND OF STEP\ncd /payload\n`;
    return this.run(`${feed}(yes 2>/dev/null || true) | DEBIAN_FRONTEND=noninteractive bash -eux /root/step.sh`, 1_500_000);
  }

  async pod({ handler = '', parent = '', sharedProcesses = false, security = {} }: PodWish = {}): Promise<Pod> {
    this.#made += 1;
    const namespaces = { network: 'POD', pid: sharedProcesses ? 'POD' : 'CONTAINER', ipc: 'POD' };
    const linux = { cgroup_parent: parent, security_context: { namespace_options: namespaces, seccomp: { profile_type: 'RuntimeDefault' }, ...security } };
    const config = podConfig({ dir: '/var/log/berth-pods', cgroup: parent }, `pod${this.#made}`, { linux });
    return { id: await this.cri.runPod(config, handler), config };
  }

  async create(pod: Pod, command: readonly string[], { image = busybox, resources, security }: ContainerWish = {}): Promise<string> {
    this.#made += 1;
    const plain = containerConfig(image, command, { metadata: { name: `c${this.#made}` } });
    const { namespace_options: namespaces } = (pod.config.linux as { security_context: { namespace_options: object } }).security_context;
    const context = { ...(plain.linux?.['security_context'] as object), namespace_options: namespaces, ...security };
    const config: ContainerConfig = { ...plain, linux: { security_context: context, ...(resources === undefined ? {} : { resources }) } };
    return this.cri.createContainer(pod.id, config, pod.config);
  }

  /** Creates and starts. */
  async start(pod: Pod, command: readonly string[], wish: ContainerWish = {}): Promise<string> {
    const id = await this.create(pod, command, wish);
    await this.cri.startContainer(id);
    return id;
  }

  async reaches(id: string, state: ContainerState, timeoutMs = 120_000): Promise<ContainerStatus> {
    let status = await this.cri.containerStatus(id);
    for (const deadline = Date.now() + timeoutMs; status.state !== state; status = await this.cri.containerStatus(id)) {
      if (Date.now() > deadline) throw new Error(`container ${id} is ${status.state} and not ${state}: ${status.reason} ${status.message}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return status;
  }

  /** What a program in a container prints, without the last line break. */
  async exec(container: string, ...command: readonly string[]): Promise<string> {
    const { stdout, stderr, exit_code: code } = await this.cri.execSync(container, command);
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${stderr.toString()}`);
    return stdout.toString().trimEnd();
  }

  /** The container's first process, as the machine numbers it. */
  async pidOf(container: string): Promise<number> {
    return pidOf(this.cri, container);
  }

  async removePods(): Promise<void> {
    for (const { id } of await this.cri.listPods()) {
      await this.cri.stopPod(id);
      await this.cri.removePod(id);
    }
  }

  /** Sets one line of the settings, which it comments out otherwise, and restarts berthd. */
  async configure(key: string, value: string): Promise<void> {
    await this.run(`sed -i 's|^#\\?${key} = .*|${key} = "${value}"|' /etc/berth/config.toml && berth config check && systemctl restart berthd`);
    await this.ready();
  }

  async close(): Promise<void> {
    this.cri.close();
    await this.guest.close();
  }
}
