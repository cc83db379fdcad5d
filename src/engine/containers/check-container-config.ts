import { BerthError } from '../../lib/errors.ts';
import { handlerOf } from '../handlers/handler-of.ts';
import type { ContainerConfig, ContainerMount } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { UserNamespace } from '../model/security.ts';
import type { EngineParts } from '../parts.ts';
import { checkPidTarget } from './pid-target.ts';

const invalid = (message: string, hint?: string): BerthError => new BerthError('invalid', message, hint === undefined ? {} : { hint });

/** Fails on what no container of this pod can be made of, before anything is made. */
export function checkContainerConfig(parts: EngineParts, pod: Pod, config: ContainerConfig): void {
  const { security } = config;
  if (security.privileged && !pod.config.security.privileged) throw invalid(`container ${config.name} is privileged but its pod is not`, 'make the pod privileged too');
  if (security.runAsGroup !== undefined && security.runAsUser === undefined && security.runAsUsername === '') {
    throw invalid(`container ${config.name} sets run_as_group without a user`, 'set run_as_user or run_as_username too');
  }
  checkUserNamespace(pod.config.security.namespaces.user, security.namespaces.user);
  checkPidTarget(parts, pod.id, security.namespaces);
  for (const mount of config.mounts) checkMount(mount, handlerOf(parts, pod), parts.features.of(handlerOf(parts, pod)).recursiveReadOnlyMounts);
}

/** Containers live in their pod's user namespace; naming another one is a mistake. */
function checkUserNamespace(pod: UserNamespace | undefined, asked: UserNamespace | undefined): void {
  if (asked === undefined || asked.mode === 'node') {
    if (asked !== undefined && pod?.mode === 'pod') throw invalid("the container asks for the node's user namespace but its pod has its own");
    return;
  }
  if (asked.mode !== 'pod' || !equalMappings(pod, asked)) throw invalid("the container's user namespace is not its pod's");
}

function equalMappings(a: UserNamespace | undefined, b: UserNamespace): boolean {
  const text = ({ uidMappings, gidMappings }: UserNamespace): string =>
    [uidMappings, gidMappings].map((mappings) => mappings.map((m) => `${m.containerId}:${m.hostId}:${m.length}`).join()).join('/');
  return a?.mode === 'pod' && text(a) === text(b);
}

function checkMount(mount: ContainerMount, handler: string, canRecurse: boolean): void {
  const at = `the mount at ${mount.containerPath}`;
  if (mount.containerPath === '') throw invalid('a mount has no container_path');
  if (mount.image === '' && !mount.hostPath.startsWith('/')) throw invalid(`${at} has the host path "${mount.hostPath}", which is not absolute`);
  if (!mount.recursiveReadOnly) return;
  // The kubelet looks for the word at the beginning.
  if (!canRecurse) throw invalid(`RROUnsupported: ${at} asks for recursive_read_only, which runtime handler ${handler} cannot do`);
  if (!mount.readonly) throw invalid(`${at} asks for recursive_read_only but is not readonly`);
  if (mount.propagation !== 'private') throw invalid(`${at} asks for recursive_read_only, which takes private propagation`);
}
