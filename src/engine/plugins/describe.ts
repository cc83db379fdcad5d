import type { NriContainer, NriPod, NriSubject } from '../../nri/port.ts';
import { ociResources } from '../../oci/runtime-spec/resources.ts';
import type { OciResources, OciSpec } from '../../oci/runtime-spec/types.ts';
import { cgroupParent } from '../cgroup-parent.ts';
import { readSpecNow } from '../spec/bundle.ts';
import { handlerOf } from '../spec/handler-of.ts';
import { isLive, shownState, type Container } from '../model/container.ts';
import type { PluginIdentity, Pod } from '../model/pod.ts';
import type { LinuxResources } from '../model/resources.ts';
import type { EngineParts } from '../parts.ts';
import { podNamespaces } from '../spec/pod-environment.ts';

/** A pod that plugins hear of. */
export type HeardPod = Pod & { readonly config: { readonly plugins: PluginIdentity } };

export function concernsPlugins(pod: Pod): pod is HeardPod {
  return pod.config.plugins !== undefined;
}

/** As concernsPlugins(), while there are any. */
export function isHeard({ nri }: Pick<EngineParts, 'nri'>, pod: Pod): pod is HeardPod {
  return nri.active && concernsPlugins(pod);
}

export function describePod(parts: EngineParts, pod: HeardPod): NriPod {
  const { plugins, labels, annotations, overhead, resources } = pod.config;
  return {
    id: pod.id,
    name: plugins.name,
    namespace: plugins.namespace,
    uid: plugins.uid,
    labels,
    annotations,
    runtimeHandler: handlerOf(parts, pod),
    cgroupParent: cgroupParent(parts.config, pod.config),
    ips: pod.network?.ips ?? [],
    pid: pod.pausePid,
    namespaces: podNamespaces(parts, pod),
    overhead: ofHost(parts, overhead),
    resources: ofHost(parts, resources),
  };
}

/** Limits as plugins and the OCI spec spell them. */
export function ofHost({ config }: EngineParts, resources: LinuxResources | undefined): OciResources | undefined {
  return resources === undefined ? undefined : ociResources(resources, config.host);
}

/** @param spec read from the container's bundle unless it is known. */
export function describeContainer(parts: EngineParts, container: Container, spec: OciSpec | undefined = readSpecNow(parts.paths.bundle(container.id))): NriContainer {
  const { id, podId, config, state, task, createdAtNs, startedAtNs, exit, imageId, imageRef } = container;
  return {
    id,
    podId,
    name: config.name,
    state: shownState(state),
    labels: config.labels,
    annotations: config.annotations,
    pid: isLive(container) ? (task?.pid ?? 0) : 0,
    createdAtNs,
    startedAtNs: startedAtNs ?? 0n,
    exit,
    image: { name: config.image, digest: imageRef.split('@')[1] ?? '', configDigest: imageId },
    seccomp: config.security.seccomp,
    spec,
  };
}

/** undefined when plugins hear nothing of the container, or there are none. */
export function describeSubject(parts: EngineParts, container: Container): NriSubject | undefined {
  const pod = parts.nri.active ? parts.pods.required(container.podId) : undefined;
  return pod !== undefined && isHeard(parts, pod) ? { pod: describePod(parts, pod), container: describeContainer(parts, container) } : undefined;
}
