import { availableParallelism, release } from 'node:os';
import { join } from 'node:path';
import { cgroupDriver } from '../config/cgroup-driver.ts';
import type { Config } from '../config/schema.ts';
import type { EngineConfig } from '../engine/config.ts';
import type { ImagesConfig } from '../images/config.ts';
import type { CgroupDriver } from '../oci/runtime-spec/cgroups-path.ts';
import type { NriSettings } from '../nri/nri-plugins.ts';
import type { RuntimeHandler } from '../shim/port.ts';
import type { StreamingConfig } from '../remotecommand/streaming-server.ts';

/** The runtime handlers with everything that a setting leaves to another one. */
export function runtimeHandlers(config: Config, shimPath: string): readonly RuntimeHandler[] {
  const driver = cgroupDriver(config);
  return Object.entries(config.runtimes).map(([name, { shim, runtime, runtimeRoot, systemdCgroup, protocol }]) => ({
    name,
    shim: shim === '' ? shimPath : shim,
    runtime,
    runtimeRoot: runtimeRoot === '' ? join(config.runRoot, 'runtime', name) : runtimeRoot,
    systemdCgroup: systemdCgroup ?? driver === 'systemd',
    protocol,
  }));
}

export function imageSettings({ images, registries, runtimes, defaultRuntime }: Config): ImagesConfig {
  const hosts = Object.entries(registries).map(([host, registry]) => {
    const { password, identityToken, ...rest } = registry;
    return [host, { ...rest, password: password.reveal(), identityToken: identityToken.reveal() }] as const;
  });
  const { progressTimeout, ...rest } = images;
  const defaultSnapshotter = runtimes[defaultRuntime]?.snapshotter ?? 'overlay';
  return { ...rest, defaultSnapshotter, progressTimeoutMs: progressTimeout, hosts: Object.fromEntries(hosts) };
}

export function streamingSettings({ streaming: { idleTimeout, creationTimeout, ...rest } }: Config): StreamingConfig {
  return { ...rest, idleTimeoutMs: idleTimeout, creationTimeoutMs: creationTimeout };
}

/** In the spelling of the driver. */
const defaultParent: Readonly<Record<CgroupDriver, string>> = { cgroupfs: '/berth', systemd: 'berth.slice' };

export function nriSettings({ nri }: Config, version: string): NriSettings {
  return { socket: nri.enable ? nri.socket : '', version, registrationTimeoutMs: nri.registrationTimeout, requestTimeoutMs: nri.requestTimeout };
}

export function engineSettings(config: Config, host: EngineConfig['host']): EngineConfig {
  const driver = cgroupDriver(config);
  const { shmSize, ...containers } = config.containers;
  return {
    stateRoot: config.stateRoot,
    runRoot: config.runRoot,
    defaultHandler: config.defaultRuntime,
    snapshotters: Object.fromEntries(Object.entries(config.runtimes).map(([name, { snapshotter }]) => [name, snapshotter])),
    cgroupDriver: driver,
    defaultCgroupParent: config.cgroup.parent === '' ? defaultParent[driver] : config.cgroup.parent,
    ...containers,
    shmSizeBytes: shmSize,
    startConcurrency: config.limits.startConcurrency === 0 ? 2 * availableParallelism() : config.limits.startConcurrency,
    cgroupRoot: '/sys/fs/cgroup',
    host,
    kernelRelease: release(),
  };
}
