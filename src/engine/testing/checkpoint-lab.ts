import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningEngine } from '../engine.ts';
import type { ArchiveNotes } from '../model/checkpoint.ts';
import type { ContainerConfig } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import { containerConfig, podConfig } from './configs.ts';
import { World } from './world.ts';

/** Annotations that a door might give. */
export const notes: ArchiveNotes = ({ config }, pod) => ({ of: `${config.name} in ${pod.config.title}` });

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

/** An engine whose handler can make checkpoints, with a pod and a place for them. */
export class CheckpointLab {
  readonly world: World;
  /** Another one after a restart of berthd. */
  engine: RunningEngine;
  readonly pod: Pod;
  readonly output: string;
  readonly statusOf = (id: string): string => this.world.shims.get(id).status;

  private constructor(world: World, engine: RunningEngine, pod: Pod) {
    this.world = world;
    this.engine = engine;
    this.pod = pod;
    this.output = join(world.root, 'output');
    mkdirSync(this.output);
  }

  static async open(): Promise<CheckpointLab> {
    const world = new World();
    world.agent.features = JSON.stringify({ annotations: { 'some.runtime.checkpoint.enabled': 'true' } });
    const engine = world.engine();
    await engine.recover();
    const pod = await engine.pods.run(podConfig('web', { logDirectory: join(world.root, 'logs') }), signal());
    return new CheckpointLab(world, engine, pod);
  }

  async running(name: string, change: Partial<ContainerConfig> = {}): Promise<string> {
    const { id } = await this.engine.containers.create(this.pod.id, containerConfig('app', { name, ...change }), signal());
    await this.engine.containers.start(id, signal());
    return id;
  }

  /** Into `a.tar`. */
  checkpoint(containerId: string, under = signal(), timeoutMs?: number): Promise<void> {
    return this.engine.containers.checkpoint({ containerId, location: join(this.output, 'a.tar'), timeoutMs, notes }, under);
  }

  checkpointPod(under = signal(), directory = join(this.output, 'pod')): Promise<void> {
    return this.engine.pods.checkpoint({ podId: this.pod.id, directory, containerIds: [], notes }, under);
  }

  restorePod(names: readonly string[], change: Partial<ContainerConfig> = {}): ReturnType<RunningEngine['pods']['restore']> {
    const containers = names.map((name) => containerConfig('app', { name, ...change }));
    return this.engine.pods.restore({ directory: join(this.output, 'pod'), config: podConfig('again', { logDirectory: join(this.world.root, 'again') }), containers }, signal());
  }

  /** Whether the container was paused when it was written down. */
  stateFile(archive: string): string {
    return readFileSync(join(this.output, archive, 'checkpoint/state'), 'utf8');
  }

  async close(): Promise<void> {
    await this.world.close();
  }
}
