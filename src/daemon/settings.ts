import { existsSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { EngineConfig } from '../engine/config.ts';
import type { ImagesConfig } from '../images/config.ts';
import { BerthError } from '../lib/errors.ts';
import { type CgroupDriver, parentProblem } from '../oci/runtime-spec/cgroups-path.ts';
import type { NriSettings } from '../nri/nri-plugins.ts';
import type { RuntimeHandler } from '../shim/port.ts';
import type { StreamingConfig } from '../remotecommand/streaming-server.ts';

/** The configured cgroup driver; auto means systemd where systemd is the init of this machine, as sd_booted(3) tells. */
export function cgroupDriver({ cgroup }: Config): CgroupDriver {
  if (cgroup.driver !== 'auto') return cgroup.driver;
  return existsSync('/run/systemd/system') ? 'systemd' : 'cgroupfs';
}

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

/** Where pods that name no cgroup parent go. @throws BerthError `invalid` for one in the other driver's spelling. */
function podParent({ cgroup }: Config, driver: CgroupDriver): string {
  if (cgroup.parent === '') return defaultParent[driver];
  const problem = parentProblem(driver, cgroup.parent);
  if (problem !== undefined) throw new BerthError('invalid', `[cgroup] parent "${cgroup.parent}" cannot be used: ${problem}`, { hint: 'set [cgroup] driver and parent to what belongs together' });
  return cgroup.parent;
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
    defaultCgroupParent: podParent(config, driver),
    ...containers,
    shmSizeBytes: shmSize,
    startConcurrency: config.limits.startConcurrency === 0 ? 2 * availableParallelism() : config.limits.startConcurrency,
    cgroupRoot: '/sys/fs/cgroup',
    host,
    kernelRelease: release(),
  };
}
