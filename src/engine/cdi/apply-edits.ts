import { BerthError } from '../../lib/errors.ts';
import { readDevice } from '../../lib/host-facts.ts';
import { byDepth, withMappings } from '../../oci/runtime-spec/mounts.ts';
import type { OciDevice, OciDeviceRule, OciHooks, OciLinux, OciMount, OciProcess, OciSpec } from '../../oci/runtime-spec/types.ts';
import type { CdiDeviceNode, CdiMount, ContainerEdits } from './spec-file.ts';

/** The spec with one set of CDI edits made. An edit replaces what the spec has under the same name or path. */
export function applyEdits(spec: OciSpec, edits: ContainerEdits): OciSpec {
  return {
    ...spec,
    process: editProcess(spec.process, edits),
    mounts: editMounts(spec, edits.mounts),
    ...(edits.hooks.length > 0 ? { hooks: editHooks(spec.hooks ?? {}, edits.hooks) } : {}),
    linux: editLinux(spec, edits),
  };
}

const nameOf = (entry: string): string => entry.slice(0, entry.indexOf('='));

function editProcess(process: OciProcess, { env, additionalGids }: ContainerEdits): OciProcess {
  const replaced = new Set(env.map(nameOf));
  // Gid 0 would be a gift that no driver means.
  const groups = new Set([...process.user.additionalGids, ...additionalGids.filter((gid) => gid !== 0)]);
  return {
    ...process,
    env: [...process.env.filter((entry) => !replaced.has(nameOf(entry))), ...env],
    user: { ...process.user, additionalGids: [...groups] },
  };
}

function editMounts({ mounts, linux }: OciSpec, added: readonly CdiMount[]): readonly OciMount[] {
  if (added.length === 0) return mounts;
  const replaced = new Set(added.map(({ containerPath }) => containerPath));
  return byDepth([...mounts.filter(({ destination }) => !replaced.has(destination)), ...added.map((mount) => ociMount(mount, linux))]);
}

/** Without a type it is a bind mount, which an OCI runtime tells by its options. It has the pod's owners, as the request's mounts have. */
function ociMount({ hostPath, containerPath, type, options }: CdiMount, linux: OciLinux): OciMount {
  if (type !== '' && type !== 'bind' && type !== 'none') return { destination: containerPath, source: hostPath, type, options };
  const binds = options.includes('bind') || options.includes('rbind');
  return withMappings({ destination: containerPath, source: hostPath, type: 'bind', options: binds ? options : ['rbind', ...options] }, linux);
}

function editHooks(hooks: OciHooks, added: ContainerEdits['hooks']): OciHooks {
  const names = new Set(added.map(({ name }) => name));
  const longer = [...names].map((name) => [name, [...(hooks[name] ?? []), ...added.filter((each) => each.name === name).map(({ hook }) => hook)]]);
  return { ...hooks, ...Object.fromEntries(longer) };
}

function editLinux({ linux, process }: OciSpec, { deviceNodes, intelRdt, netDevices }: ContainerEdits): OciLinux {
  const nodes = deviceNodes.map((node) => ({ node, device: deviceOf(node, process) }));
  const replaced = new Set(nodes.map(({ device }) => device.path));
  const rules = nodes.filter(hasRule).map(({ node, device }) => ruleOf(node, device));
  return {
    ...linux,
    devices: [...linux.devices.filter(({ path }) => !replaced.has(path)), ...nodes.map(({ device }) => device)],
    resources: { ...linux.resources, devices: [...(linux.resources.devices ?? []), ...rules] },
    ...(intelRdt === undefined ? {} : { intelRdt }),
    ...(netDevices.length === 0 ? {} : { netDevices: { ...linux.netDevices, ...Object.fromEntries(netDevices.map(({ hostInterfaceName, name }) => [hostInterfaceName, { name }])) } }),
  };
}

/** The device cgroup knows block and character devices alone. */
const hasRule = ({ node, device }: { readonly node: CdiDeviceNode; readonly device: OciDevice }): boolean => node.permissions !== '' && (device.type === 'b' || device.type === 'c');

const ruleOf = ({ permissions }: CdiDeviceNode, { type, major, minor }: OciDevice): OciDeviceRule => ({ allow: true, type, major, minor, access: permissions });

/**
 * What the spec leaves open is as on the host, but for the owner: that is the container's user, unless it is root. A type
 * and a major number need no host: CDI's own writers leave out a minor number of 0.
 */
function deviceOf(node: CdiDeviceNode, { user }: OciProcess): OciDevice {
  const { type, path } = node;
  const host = type === 'p' ? undefined : readDevice(node.hostPath);
  const numbers = type === 'p' || node.major !== undefined ? { major: node.major ?? 0, minor: node.minor ?? 0 } : host;
  const found = type ?? host?.type;
  if (found === undefined || numbers === undefined) throw new BerthError('invalid', `CDI asks for the device ${node.hostPath}, which is not on this node`);
  return {
    path,
    type: found,
    major: numbers.major,
    minor: numbers.minor,
    fileMode: node.fileMode ?? host?.fileMode ?? 0o666,
    uid: node.uid ?? (user.uid > 0 ? user.uid : (host?.uid ?? 0)),
    gid: node.gid ?? (user.gid > 0 ? user.gid : (host?.gid ?? 0)),
  };
}
