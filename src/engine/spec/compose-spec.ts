import type { Image } from '../../images/port.ts';
import type { ContainerId } from '../../lib/ids.ts';
import type { Waterfall } from '../../lib/waterfall.ts';
import type { FilesystemMount } from '../../agent/port.ts';
import { apparmorFor, takesDefaultProfile } from '../../oci/runtime-spec/apparmor.ts';
import { buildSpec } from '../../oci/runtime-spec/build-spec.ts';
import { effectiveCapabilities } from '../../oci/runtime-spec/capabilities.ts';
import { cgroupsPath } from '../../oci/runtime-spec/cgroups-path.ts';
import type { BindInput, NamespaceInput, PodFiles, SpecInput } from '../../oci/runtime-spec/input.ts';
import { maxProfileBytes, seccompFor } from '../../oci/runtime-spec/seccomp.ts';
import type { OciSpec } from '../../oci/runtime-spec/types.ts';
import { resolveUser, type ResolvedUser } from '../../oci/runtime-spec/user.ts';
import { injectDevices } from '../cdi/inject-devices.ts';
import { cgroupParent } from '../cgroup-parent.ts';
import type { ContainerConfig } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { NamespaceMode } from '../model/security.ts';
import type { EngineParts } from '../parts.ts';
import { relabel } from '../selinux/relabel.ts';
import { podHostname } from './pod-hostname.ts';
import { readAccounts } from './accounts.ts';
import { type HostSources, resolveBinds } from './binds.ts';
import { specDevices } from './devices.ts';
import { checkPidTarget } from './pid-target.ts';
import { copyVolumes } from './volumes.ts';

/** A container that is being made. */
export interface Creation {
  readonly id: ContainerId;
  readonly pod: Pod;
  readonly config: ContainerConfig;
  readonly image: Image;
  readonly waterfall: Waterfall;
}

/** Gathers from image, pod and host what the spec needs, copies volumes on the way, and builds it. */
export async function composeSpec(
  parts: EngineParts,
  creation: Creation,
  { rootfs, sources }: { readonly rootfs: readonly FilesystemMount[]; readonly sources: Promise<HostSources> },
  signal: AbortSignal,
): Promise<{ readonly spec: OciSpec; readonly user: ResolvedUser }> {
  const { config, image, waterfall } = creation;
  const accounts = await waterfall.phase('accounts', () => readAccounts(parts, image, rootfs, signal));
  const user = resolveUser(config.security, image.config.user, accounts);
  const volumes = await waterfall.phase('volumes', () => copyVolumes(parts, creation, rootfs, signal));
  const binds = await waterfall.phase('mounts', async () => resolveBinds(parts, creation, await sources, signal));
  const selinux = parts.selinux.labels(creation.pod, config.security);
  if (selinux !== undefined) await relabel(parts.agent, selinux, filesToRelabel(config, volumes, binds), signal);
  const spec = await waterfall.phase('spec', async () => {
    if (takesDefaultProfile(config.security.apparmor, config.security.privileged)) await parts.apparmor.provideDefault(parts, signal);
    const plain = buildSpec({ ...(await specInput(parts, creation, { user, binds: [...volumes, ...binds] }, signal)), selinux });
    return injectDevices(plain, config.cdiDevices, parts.config.cdiSpecDirs);
  });
  return { spec, user };
}

/** Directories that are made for this container, and those that its request says are. */
function filesToRelabel({ mounts }: ContainerConfig, volumes: readonly BindInput[], binds: readonly BindInput[]): readonly string[] {
  return [...volumes, ...binds.filter((_, index) => mounts[index]?.selinuxRelabel === true && mounts[index].image === '')].map(({ source }) => source);
}

async function specInput(
  parts: EngineParts,
  { id, pod, config, image }: Creation,
  { user, binds }: { readonly user: ResolvedUser; readonly binds: readonly BindInput[] },
  signal: AbortSignal,
): Promise<Omit<SpecInput, 'selinux'>> {
  const { security } = config;
  const capabilities = effectiveCapabilities(security.capabilities, security.privileged, parts.config.host.boundingCapabilities);
  return {
    containerId: id,
    cgroupsPath: cgroupsPath(parts.config.cgroupDriver, cgroupParent(parts.config, pod.config), id),
    rootfs: 'rootfs',
    process: {
      command: config.command,
      args: config.args,
      workingDir: config.workingDir,
      envs: config.envs,
      tty: config.tty,
      image: image.config,
      hostname: podHostname(pod.config),
      user,
    },
    security,
    resources: config.resources,
    namespaces: namespaceInput(parts, pod, config),
    files: podFiles(parts, pod),
    binds,
    devices: await specDevices(parts, config, signal),
    seccomp: await seccompFor(security.seccomp, security.privileged, capabilities, (path) => parts.hostPaths.look({ path, maxBytes: maxProfileBytes + 1 }, signal)),
    apparmorProfile: apparmorFor(security.apparmor, security.privileged, parts.apparmor),
    annotations: {},
    host: parts.config.host,
  };
}

/** Network, IPC, UTS and user namespace are always the pod's; only the PID namespace is the container's to choose. */
function namespaceInput(parts: EngineParts, pod: Pod, config: ContainerConfig): NamespaceInput {
  const { network, ipc, pid, user } = pod.config.security.namespaces;
  return {
    pinDir: parts.paths.pinDir(pod.id),
    network,
    ipc,
    pid: pidMode(pid, config.security.namespaces.pid),
    targetPid: checkPidTarget(parts, pod.id, config.security.namespaces),
    user: user?.mode === 'pod' ? user : undefined,
  };
}

/** "The pod's" is whatever the pod has: a pod without a shared namespace leaves each container its own. */
function pidMode(pod: NamespaceMode, asked: NamespaceMode): NamespaceMode {
  return asked === 'pod' ? pod : asked;
}

function podFiles({ paths }: EngineParts, { id, config }: Pod): PodFiles {
  return {
    hostname: paths.podFile(id, 'hostname'),
    hosts: paths.podFile(id, 'hosts'),
    resolvConf: paths.podFile(id, 'resolv.conf'),
    shm: config.security.namespaces.ipc === 'node' ? '/dev/shm' : paths.shm(id),
  };
}
