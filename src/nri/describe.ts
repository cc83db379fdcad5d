import type { OciHook, OciHooks, OciResources, OciSpec } from '../oci/runtime-spec/types.ts';
import type { ContainerMessage, HookMessage, HooksMessage, NamespaceMessage, PodMessage, ResourcesMessage } from './messages.ts';
import type { NriContainer, NriPod } from './port.ts';
import { resourcesMessage } from './resources.ts';
import { seccompMessage } from './seccomp.ts';
import { ioPriorityMessage, schedulerMessage } from './words.ts';

/** proto's ContainerState and SecurityProfile.ProfileType. */
export const states = { unknown: 0, created: 1, running: 3, exited: 4 } as const;
export const profileTypes = { 'runtime-default': 0, unconfined: 1, localhost: 2 } as const;

const maybe = (resources: OciResources | undefined): ResourcesMessage | null => (resources === undefined ? null : resourcesMessage(resources));
const namespaceMessages = (namespaces: OciSpec['linux']['namespaces']): NamespaceMessage[] => namespaces.map(({ type, path = '' }) => ({ type, path }));

export function podMessage(pod: NriPod): PodMessage {
  const { id, name, uid, namespace, labels, annotations, runtimeHandler, cgroupParent, namespaces, overhead, resources, pid, ips } = pod;
  return {
    id,
    name,
    uid,
    namespace,
    labels,
    annotations,
    runtimeHandler,
    linux: {
      podOverhead: maybe(overhead),
      podResources: maybe(resources),
      cgroupParent,
      // A pod has no cgroup of its own here besides its parent.
      cgroupsPath: cgroupParent,
      namespaces: namespaceMessages(namespaces),
      resources: maybe(resources),
    },
    pid,
    ips,
  };
}

/** @param spec its spec so far, where plugins have changed it. */
export function containerMessage(container: NriContainer, spec: OciSpec | undefined = container.spec): ContainerMessage {
  const { id, podId, name, state, labels, annotations, pid, createdAtNs, startedAtNs, exit, image } = container;
  return {
    id,
    podSandboxId: podId,
    name,
    state: states[state],
    labels,
    annotations: { ...annotations, ...spec?.annotations },
    args: spec?.process.args ?? [],
    env: spec?.process.env ?? [],
    mounts: (spec?.mounts ?? []).map(({ destination, type, source, options }) => ({ destination, type, source, options })),
    hooks: spec === undefined ? null : hooksMessage(spec.hooks ?? {}),
    linux: spec === undefined ? null : linuxMessage(spec, container.seccomp),
    pid,
    rlimits: (spec?.process.rlimits ?? []).map(({ type, hard, soft }) => ({ type, hard: BigInt(hard), soft: BigInt(soft) })),
    createdAt: createdAtNs,
    startedAt: startedAtNs,
    finishedAt: exit?.finishedAtNs ?? 0n,
    exitCode: exit?.exitCode ?? 0,
    statusReason: exit?.reason ?? '',
    statusMessage: exit?.message ?? '',
    user: spec?.process.user ?? null,
    image,
  };
}

function linuxMessage(spec: OciSpec, seccomp: NriContainer['seccomp']): NonNullable<ContainerMessage['linux']> {
  const { linux, process } = spec;
  return {
    namespaces: namespaceMessages(linux.namespaces),
    devices: linux.devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({
      path, type, major: BigInt(major), minor: BigInt(minor), fileMode: { value: fileMode }, uid: { value: uid }, gid: { value: gid },
    })),
    resources: resourcesMessage(linux.resources),
    oomScoreAdj: { value: BigInt(process.oomScoreAdj) },
    cgroupsPath: linux.cgroupsPath,
    ioPriority: ioPriorityMessage(process.ioPriority),
    seccompProfile: seccomp === undefined ? null : { profileType: profileTypes[seccomp.type], localhostRef: seccomp.localhostRef },
    seccompPolicy: seccompMessage(linux.seccomp),
    sysctl: linux.sysctl ?? {},
    netDevices: Object.fromEntries(Object.entries(linux.netDevices ?? {}).map(([device, { name = '' }]) => [device, { name }])),
    scheduler: schedulerMessage(process.scheduler),
    rdt: linux.intelRdt === undefined ? null : rdtMessage(linux.intelRdt),
  };
}

function rdtMessage({ closID, schemata, enableMonitoring }: NonNullable<OciSpec['linux']['intelRdt']>): NonNullable<NonNullable<ContainerMessage['linux']>['rdt']> {
  return {
    closId: closID === undefined ? null : { value: closID },
    schemata: schemata === undefined ? null : { value: schemata },
    enableMonitoring: enableMonitoring === undefined ? null : { value: enableMonitoring },
    remove: false,
  };
}

function hooksMessage(hooks: OciHooks): HooksMessage {
  const all = (at: readonly OciHook[] = []): HookMessage[] =>
    at.map(({ path, args = [], env = [], timeout }) => ({ path, args, env, timeout: timeout === undefined ? null : { value: BigInt(timeout) } }));
  return {
    prestart: all(hooks.prestart),
    createRuntime: all(hooks.createRuntime),
    createContainer: all(hooks.createContainer),
    startContainer: all(hooks.startContainer),
    poststart: all(hooks.poststart),
    poststop: all(hooks.poststop),
  };
}
