import { BerthError } from '../lib/errors.ts';
import { mergeOciResources } from '../oci/runtime-spec/merge-resources.ts';
import type { OciDevice, OciDeviceRule, OciIntelRdt, OciLinux, OciNamespace, OciResources } from '../oci/runtime-spec/types.ts';
import type { Adjustment } from './adjustment.ts';
import type { DeviceMessage, NamespaceMessage, RdtMessage, ResourcesMessage } from './messages.ts';
import { applyPairs } from './pairs.ts';
import { compact, ociOfResources } from './resources.ts';
import { seccompOf } from './seccomp.ts';
import { memoryPolicyOf } from './words.ts';

const namespaceTypes: readonly OciNamespace['type'][] = ['pid', 'network', 'ipc', 'uts', 'mount', 'user', 'cgroup'];

/** `linux` of the spec with everything that plugins changed. */
export function applyLinux(linux: OciLinux, adjustment: Adjustment): OciLinux {
  const { single, resources, rdt } = adjustment;
  const sysctl = applyPairs(linux.sysctl ?? {}, adjustment.sysctl);
  const netDevices = applyPairs(linux.netDevices ?? {}, new Map([...adjustment.netDevices].map(([name, device]) => [name, device === undefined ? undefined : { name: device.name }])));
  const intelRdt = applyRdt(linux.intelRdt, rdt, resources.rdtClass?.value);
  const { intelRdt: _, ...rest } = linux;
  return {
    ...rest,
    namespaces: applyNamespaces(linux.namespaces, adjustment.namespaces),
    cgroupsPath: single.cgroupsPath === '' ? linux.cgroupsPath : single.cgroupsPath,
    resources: applyResources(linux.resources, resources, adjustment.devices),
    devices: applyDevices(linux.devices, adjustment.devices),
    ...(single.seccompPolicy === null ? {} : { seccomp: seccompOf(single.seccompPolicy) }),
    ...(Object.keys(sysctl).length > 0 || linux.sysctl !== undefined ? { sysctl } : {}),
    ...(Object.keys(netDevices).length > 0 || linux.netDevices !== undefined ? { netDevices } : {}),
    ...compact({ intelRdt, memoryPolicy: memoryPolicyOf(single.memoryPolicy) ?? linux.memoryPolicy }),
  };
}

function applyNamespaces(before: readonly OciNamespace[], changes: ReadonlyMap<string, NamespaceMessage | undefined>): readonly OciNamespace[] {
  if (changes.has('mount') && changes.get('mount') === undefined) throw new BerthError('invalid', "an NRI plugin takes away the mount namespace, so that the container's mounts would be the node's");
  const added = [...changes].flatMap(([type, namespace]): OciNamespace[] => {
    if (namespace === undefined) return [];
    const known = namespaceTypes.find((name) => name === type);
    if (known === undefined) throw new BerthError('invalid', `an NRI plugin asks for a namespace of type "${type}"`, { hint: `use one of ${namespaceTypes.join(', ')}` });
    return [{ type: known, ...(namespace.path === '' ? {} : { path: namespace.path }) }];
  });
  return [...before.filter(({ type }) => !changes.has(type)), ...added];
}

function applyDevices(before: readonly OciDevice[], changes: ReadonlyMap<string, DeviceMessage | undefined>): readonly OciDevice[] {
  return [...before.filter(({ path }) => !changes.has(path)), ...[...changes.values()].flatMap((device) => (device === undefined ? [] : [ociDevice(device)]))];
}

function ociDevice({ path, type, major, minor, fileMode, uid, gid }: DeviceMessage): OciDevice {
  if (type !== 'c' && type !== 'b' && type !== 'u' && type !== 'p') throw new BerthError('invalid', `an NRI plugin adds device ${path} of type "${type}"`, { hint: 'use c, b, u or p' });
  return { path, type, major: Number(major), minor: Number(minor), fileMode: fileMode?.value ?? 0o666, uid: uid?.value ?? 0, gid: gid?.value ?? 0 };
}

/** A device that is added may be used, too. */
function applyResources(before: OciResources, message: ResourcesMessage, devices: ReadonlyMap<string, DeviceMessage | undefined>): OciResources {
  const added = [...devices.values()].flatMap((device): OciDeviceRule[] =>
    device === undefined ? [] : [{ allow: true, type: device.type, major: Number(device.major), minor: Number(device.minor), access: 'rwm' }],
  );
  const merged = mergeOciResources(before, ociOfResources(message));
  return added.length === 0 ? merged : { ...merged, devices: [...(merged.devices ?? []), ...added] };
}

function applyRdt(before: OciIntelRdt | undefined, rdt: RdtMessage | null, rdtClass: string | undefined): OciIntelRdt | undefined {
  const kept = rdt?.remove === true || rdtClass === '' ? {} : (before ?? {});
  const classed = rdtClass === undefined || rdtClass === '' ? kept : { closID: rdtClass };
  const after: OciIntelRdt = {
    ...classed,
    ...compact({ closID: rdt?.closId?.value, schemata: rdt?.schemata?.value, enableMonitoring: rdt?.enableMonitoring?.value }),
  };
  return Object.keys(after).length > 0 ? after : undefined;
}
