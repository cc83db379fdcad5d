import { BerthError } from '../../lib/errors.ts';
import type { IdMapping } from '../id-mapping.ts';
import type { HostFacts, NamespaceInput } from './input.ts';
import type { OciIdMapping, OciNamespace } from './types.ts';

function pidNamespace(input: NamespaceInput): readonly OciNamespace[] {
  switch (input.pid) {
    case 'node':
      return [];
    case 'container':
      return [{ type: 'pid' }];
    case 'pod':
      return [{ type: 'pid', path: `${input.pinDir}/pid` }];
    case 'target':
      if (input.targetPid === undefined) throw new BerthError('precondition', 'the target container of the PID namespace is not running');
      return [{ type: 'pid', path: `/proc/${input.targetPid}/ns/pid` }];
  }
}

/** Which namespaces the container makes and which of the pod's it joins. The mount namespace is always its own. */
export function namespaces(input: NamespaceInput, privileged: boolean, host: HostFacts): readonly OciNamespace[] {
  const joined = (type: 'network' | 'ipc' | 'uts' | 'user', pin: string): OciNamespace => ({ type, path: `${input.pinDir}/${pin}` });
  const hostNetwork = input.network === 'node';
  return [
    { type: 'mount' },
    ...(hostNetwork ? [] : [joined('network', 'net'), joined('uts', 'uts')]),
    ...(input.ipc === 'node' ? [] : [joined('ipc', 'ipc')]),
    ...pidNamespace(input),
    ...(input.user === undefined ? [] : [joined('user', 'user')]),
    // On v1 a cgroup namespace would hide the controllers' paths that tools inside containers expect.
    ...(host.cgroupVersion === 2 && !privileged ? [{ type: 'cgroup' } as const] : []),
  ];
}

export function ociIdMappings(mappings: readonly IdMapping[]): readonly OciIdMapping[] {
  return mappings.map((m) => ({ containerID: m.containerId, hostID: m.hostId, size: m.length }));
}
