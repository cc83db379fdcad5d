import { afterEach, beforeEach, vi } from 'vitest';
import type { RunningEngine } from '../engine.ts';
import type { Pod } from '../model/pod.ts';
import { containerConfig, podConfig } from './configs.ts';
import { World } from './world.ts';

export const signal = (): AbortSignal => AbortSignal.timeout(15_000);
/** The filter that every container passes. */

/** The pod `web` and its containers, made by a berthd that another one follows. */
class RestartFixture {
  world!: World;
  pod!: Pod;
  /** The engine of the first berthd. */
  first!: RunningEngine;

  readonly create = async (name = 'app'): Promise<string> => (await this.first.containers.create(this.pod.id, containerConfig(name), signal())).id;

  readonly running = async (name = 'app'): Promise<string> => {
    const id = await this.create(name);
    await this.first.containers.start(id, signal());
    return id;
  };

  /** berthd goes, as in a restart or a crash, and comes again; `early` gets it before it recovers. */
  readonly restart = async (early: (engine: RunningEngine) => void = () => undefined): Promise<RunningEngine> => {
    await this.first.close();
    const engine = this.world.engine();
    early(engine);
    await engine.recover();
    return engine;
  };
}

/** A new world for each test of the file. */
export function restartFixture(): RestartFixture {
  const fixture = new RestartFixture();
  beforeEach(async () => {
    fixture.world = new World();
    fixture.first = fixture.world.engine();
    fixture.pod = await fixture.first.pods.run(podConfig('web'), signal());
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await fixture.world.close();
  });
  return fixture;
}
