import { isAbsolute } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { parentProblem } from '../../oci/runtime-spec/cgroups-path.ts';
import { checkSelinuxLevel } from '../../oci/runtime-spec/selinux.ts';
import { handlerOf } from '../spec/handler-of.ts';
import { checkKernel } from '../kernel-floor.ts';
import type { PodConfig } from '../model/pod.ts';
import type { UserNamespace } from '../model/security.ts';
import type { EngineParts } from '../parts.ts';
import { checkSysctls } from '../spec/sysctls.ts';

const invalid = (message: string, hint?: string): BerthError => new BerthError('invalid', message, hint === undefined ? {} : { hint });

function checkHandler(handler: string, known: readonly string[]): void {
  if (handler !== '' && !known.includes(handler)) throw invalid(`no runtime handler is called "${handler}"`, `configured are ${known.join(', ')}`);
}

function checkCgroupParent({ cgroupDriver }: Pick<EngineParts['config'], 'cgroupDriver'>, parent: string): void {
  const problem = parent === '' ? undefined : parentProblem(cgroupDriver, parent);
  if (problem !== undefined) throw invalid(`the cgroup parent "${parent}" cannot be used: ${problem}`, 'give the client and berthd ([cgroup] driver) the same cgroup driver');
}

function checkUserNamespace({ mode, uidMappings, gidMappings }: UserNamespace): void {
  if (mode === 'node') {
    if (uidMappings.length + gidMappings.length > 0) throw invalid("the node's user namespace takes no mappings");
    return;
  }
  if (mode !== 'pod') throw invalid(`a pod cannot have a user namespace of the kind "${mode}"`, "it is the pod's own or the node's");
  const [uids, gids] = [uidMappings[0], gidMappings[0]];
  if (uids === undefined || gids === undefined || uidMappings.length > 1 || gidMappings.length > 1) throw invalid('a user namespace needs exactly one uid and one gid mapping');
  if (uids.containerId !== gids.containerId || uids.hostId !== gids.hostId || uids.length !== gids.length) throw invalid('the uid and gid mappings of a user namespace must be equal');
  if (uids.length < 1 || uids.containerId !== 0) throw invalid('the mapping of a user namespace must begin with container id 0');
}

/** As the kernel's limit. */
const maxHostnameBytes = 64;
const controls = /\p{Cc}/u;

/** What becomes lines of the pod's files, which have no escapes, and where its logs go. */
function checkText({ hostname, dns, logDirectory }: PodConfig): void {
  if (controls.test(hostname) || Buffer.byteLength(hostname) > maxHostnameBytes) throw invalid(`the hostname "${hostname}" has a control character or more than ${maxHostnameBytes} bytes`, 'the kernel takes no longer one');
  const strange = dns && [...dns.servers, ...dns.searches, ...dns.options].find((word) => controls.test(word));
  if (strange !== undefined) throw invalid(`the DNS configuration has a control character in "${strange}"`, 'each value is a word of a line of resolv.conf');
  if (logDirectory !== '' && !isAbsolute(logDirectory)) throw invalid(`the log directory "${logDirectory}" is no absolute path`, 'say where on the node the logs of the pod go');
}

/** Fails on what no pod can be made of, before anything is made. */
export function checkPodConfig(parts: Pick<EngineParts, 'shims' | 'features' | 'config'>, config: PodConfig): void {
  checkKernel(parts.config.kernelRelease);
  const { network, ipc, pid, user } = config.security.namespaces;
  checkHandler(
    config.runtimeHandler,
    parts.shims.handlers().map(({ name }) => name),
  );
  checkCgroupParent(parts.config, config.cgroupParent);
  if (network !== 'pod' && network !== 'node') throw invalid(`a pod cannot have a network namespace of the kind "${network}"`, "it is the pod's own or the node's");
  if (ipc !== 'pod' && ipc !== 'node') throw invalid(`a pod cannot have an IPC namespace of the kind "${ipc}"`, "it is the pod's own or the node's");
  if (pid === 'target') throw invalid('the PID namespace of another container is for containers, not for a pod');
  if (user !== undefined) checkUserNamespace(user);
  if (user?.mode === 'pod' && (ipc === 'node' || pid === 'node')) throw invalid("a pod with its own user namespace cannot have the node's IPC or PID namespace");
  const handler = handlerOf(parts, { config });
  if (user?.mode === 'pod' && !parts.features.of(handler).userNamespaces) {
    throw new BerthError('precondition', `runtime handler ${handler} cannot give a pod a user namespace`, { hint: 'use a handler whose OCI runtime tells idmapped mounts among its features' });
  }
  // Its processes would see the node's name, whatever was asked for.
  if (network === 'node' && config.hostname !== '') throw invalid(`a pod in the network of the node has the node's hostname and cannot be called "${config.hostname}"`, 'leave the hostname out or ask for a network of its own');
  checkText(config);
  checkSelinuxLevel(config.security.selinux);
  checkSysctls(config);
}
