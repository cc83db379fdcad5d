import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBerth, type BerthOptions } from '../fixtures/daemon.ts';
import type { ContainerConfig, ContainerState, ContainerStatus, PodConfig } from '../fixtures/cri-types.ts';
import type { Cri } from '../fixtures/cri.ts';
import type { NodeDaemon } from '../fixtures/node-daemon.ts';
import { containerConfig, podConfig } from '../fixtures/pods.ts';
import { Registry } from '../fixtures/registry.ts';
import { TestImages } from '../fixtures/test-images.ts';
import type { TomlTable } from '../fixtures/toml.ts';

/** A pod with what it was made from, which CreateContainer wants again. */
export interface SuitePod {
  readonly id: string;
  readonly config: PodConfig;
}

/** A berthd, a registry and busybox pulled into it; what every file of this suite works with. */
export class CriSuite {
  readonly node: NodeDaemon;
  readonly registry: Registry;
  readonly images = new TestImages();
  readonly #directory: string;
  #busybox = '';
  #made = 0;

  private constructor(node: NodeDaemon, registry: Registry, directory: string) {
    this.node = node;
    this.registry = registry;
    this.#directory = directory;
  }

  static async start(config: TomlTable = {}, within?: BerthOptions['within']): Promise<CriSuite> {
    const directory = mkdtempSync(join(tmpdir(), 'berth-cri-'));
    try {
      const registry = await Registry.start({ directory });
      try {
        const suite = new CriSuite(await startBerth({ insecureRegistries: [registry.host], config, ...(within !== undefined && { within }) }), registry, directory);
        suite.#busybox = await suite.pull('busybox', suite.images.busybox());
        return suite;
      } catch (error) {
        await registry.stop();
        throw error;
      }
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  get cri(): Cri {
    return this.node.cri;
  }

  /** Reference of static busybox. */
  get busybox(): string {
    return this.#busybox;
  }

  /** Pushes an image as `repository:1` and pulls it; returns its reference. */
  async pull(repository: string, image: ReturnType<TestImages['busybox']>): Promise<string> {
    const reference = await this.registry.push(repository, '1', image);
    await this.cri.pullImage(reference);
    return reference;
  }

  async pod(over: Partial<PodConfig> = {}, handler = ''): Promise<SuitePod> {
    const config = podConfig(this.node.scratch, over.metadata?.name ?? 'pod', over);
    return { id: await this.cri.runPod(config, handler), config };
  }

  /** Without a name in `over` each gets its own. */
  async create(pod: SuitePod, command: readonly string[], over: Partial<ContainerConfig> = {}): Promise<string> {
    this.#made += 1;
    const named = { metadata: { name: `c${this.#made}` }, ...over };
    return this.cri.createContainer(pod.id, containerConfig(over.image?.image ?? this.busybox, command, named), pod.config);
  }

  /** Creates and starts. */
  async run(pod: SuitePod, command: readonly string[], over: Partial<ContainerConfig> = {}): Promise<string> {
    const id = await this.create(pod, command, over);
    await this.cri.startContainer(id);
    return id;
  }

  /** Runs a shell that does `action` on a signal, and returns once it would: a signal that comes sooner is lost on pid 1. */
  async trap(pod: SuitePod, [action, signal]: readonly [string, string], over: Partial<ContainerConfig> = {}): Promise<string> {
    const id = await this.run(pod, ['sh', '-c', `trap "${action}" ${signal}; echo trapped; while :; do sleep 0.05; done`], over);
    const { log_path: log } = await this.cri.containerStatus(id);
    for (const deadline = Date.now() + 10_000; !readFileSync(log, 'utf8').includes('trapped'); await sleep(10)) {
      if (Date.now() > deadline) throw new Error(`container ${id} has set no trap`);
    }
    return id;
  }

  /** Waits for a state, as the kubelet would, and returns the first status that has it. */
  async reaches(id: string, state: ContainerState, timeoutMs = 10_000): Promise<ContainerStatus> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const status = await this.cri.containerStatus(id);
      if (status.state === state) return status;
      if (Date.now() > deadline) throw new Error(`container ${id} is ${status.state} and not ${state}: ${status.reason} ${status.message}`);
      await sleep(20);
    }
  }

  /** Runs a container to its end and returns the status that first says so. */
  async finish(pod: SuitePod, command: readonly string[], over: Partial<ContainerConfig> = {}): Promise<ContainerStatus> {
    return this.reaches(await this.run(pod, command, over), 'CONTAINER_EXITED');
  }

  async close(): Promise<void> {
    await this.node.close();
    await this.registry.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Runs forever and heeds SIGTERM, also as pid 1. */
export const waiting: readonly string[] = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done'];
