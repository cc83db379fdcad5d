import { join, relative } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { checkSelinuxLevel } from '../../oci/runtime-spec/selinux.ts';
import { handlerOf } from './handler-of.ts';
import type { ContainerConfig } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import type { UserNamespace } from '../model/security.ts';
import type { EngineParts } from '../parts.ts';
import { checkMemory } from './check-memory.ts';
import { checkMount } from './check-mount.ts';
import { checkOomScore } from './check-oom-score.ts';
import { checkUnified } from './check-unified.ts';
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
  if (pod.config.security.namespaces.user?.mode === 'pod' && security.namespaces.pid === 'node') {
    throw invalid(`container ${config.name} asks for the node's PID namespace but its pod has a user namespace of its own`);
  }
  checkPidTarget(parts, pod.id, security.namespaces);
  checkSelinuxLevel(security.selinux);
  checkUnified(config.resources.unified, parts.config.host);
  checkMemory(config.resources, parts.config.host);
  checkOomScore(config.resources.oomScoreAdj);
  checkLogPath(pod.config.logDirectory, config.logPath);
  const handler = handlerOf(parts, pod);
  for (const mount of config.mounts) checkMount(mount, { handler, features: parts.features.of(handler) });
}

/** The contract has the path below the pod's log directory, where who removes the pod removes it. */
function checkLogPath(directory: string, path: string): void {
  if (directory === '' || path === '') return;
  const [first] = relative(directory, join(directory, path)).split('/');
  if (first === '' || first === '..') throw invalid(`the log path "${path}" does not lead below the pod's log directory ${directory}`, 'give a path relative to it, without ".."');
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

