import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { OciSpec } from '../../oci/runtime-spec/types.ts';
import type { EngineConfig } from '../config.ts';
import type { RunningEngine } from '../engine.ts';
import type { Container, ContainerConfig, ContainerMount } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { NamespaceOptions } from '../model/security.ts';
import { containerConfig, kubeNamespaces, podConfig, security } from './configs.ts';
import { World } from './world.ts';

export const signal = (): AbortSignal => AbortSignal.timeout(15_000);
/** The filter that every container passes. */
/** To be completed with what is mounted. */
export const mount: ContainerMount = {
  containerPath: '/data', hostPath: '', readonly: false, recursiveReadOnly: false, selinuxRelabel: false, propagation: 'private', uidMappings: [], gidMappings: [], image: '', imageSubPath: '',
};

export const inNamespaces = (change: Partial<NamespaceOptions>) => ({ security: security({ namespaces: { ...kubeNamespaces, ...change } }) });

/** The pod `web` and its containers, on an engine and a world of the test's own. */
class ContainersFixture {
  world!: World;
  engine!: RunningEngine;
  pod!: Pod;

  readonly create = (change: Partial<ContainerConfig> = {}): Promise<Container> => this.engine.containers.create(this.pod.id, containerConfig('app', change), signal());

  readonly running = async (change: Partial<ContainerConfig> = {}): Promise<string> => {
    const { id } = await this.create(change);
    await this.engine.containers.start(id, signal());
    return id;
  };

  readonly specOf = (id: string): OciSpec => JSON.parse(readFileSync(join(this.world.config.runRoot, 'containers', id, 'config.json'), 'utf8')) as OciSpec;

  readonly exited = (id: string): Promise<void> =>
    vi.waitFor(() => {
      expect(this.engine.containers.get(id).state).toBe('exited');
    });
}

/** Sets up each test of the file that calls this, and cleans up after it. `host`: how its node differs from the usual one. */
export function containersFixture(host: Partial<EngineConfig['host']> = {}): ContainersFixture {
  const fixture = new ContainersFixture();
  beforeEach(async () => {
    fixture.world = new World({}, host);
    fixture.engine = fixture.world.engine();
    fixture.pod = await fixture.engine.pods.run(podConfig('web', { logDirectory: join(fixture.world.root, 'logs') }), signal());
  });
  afterEach(async () => {
    await fixture.world.close();
  });
  return fixture;
}
