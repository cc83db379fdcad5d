import { join } from 'node:path';
import type { HostDevice } from '../../agent/port.ts';
import { BerthError } from '../../lib/errors.ts';
import type { SpecInput } from '../../oci/runtime-spec/input.ts';
import type { ContainerConfig, ContainerDevice } from '../model/container.ts';
import type { EngineParts } from '../parts.ts';

type SpecDevices = SpecInput['devices'];

/** The devices of the spec: those asked for, and all of the host's for a privileged container; owned as its config says. */
export async function specDevices(parts: EngineParts, { security, devices }: ContainerConfig, signal: AbortSignal): Promise<SpecDevices> {
  const found = await Promise.all(devices.map((device) => requested(parts, device, signal)));
  const owner = parts.config.deviceOwnershipFromSecurityContext ? deviceOwner(security) : {};
  const asked = found.flat().map(({ device, access }) => ({ device: { ...device, ...owner }, access }));
  if (!security.privileged) return asked;
  const taken = new Set(asked.map(({ device }) => device.path));
  const all = await parts.hostPaths.look({ path: '/dev', devices: true }, signal);
  if (all.problem !== '') throw new BerthError('internal', `the devices of the node cannot be listed: ${all.problem}`);
  return [...all.devices.map((device) => specDevice(device, { containerPath: '/dev', access: 'rwm' })).filter(({ device }) => !taken.has(device.path)), ...asked];
}

/** Who a request says that a container runs as, whose its devices are then; what it does not say stays as on the host. */
function deviceOwner({ runAsUser, runAsGroup }: ContainerConfig['security']): { readonly uid?: number; readonly gid?: number } {
  return { ...(runAsUser === undefined ? {} : { uid: runAsUser }), ...(runAsGroup === undefined ? {} : { gid: runAsGroup }) };
}

async function requested({ hostPaths }: EngineParts, { hostPath, containerPath, permissions }: ContainerDevice, signal: AbortSignal): Promise<SpecDevices> {
  const access = permissions === '' ? 'rwm' : permissions;
  if (!/^[rwm]{1,3}$/.test(access)) throw new BerthError('invalid', `device ${hostPath} asks for the permissions "${permissions}"`, { hint: 'use letters of rwm' });
  const { path, problem, kind, devices } = await hostPaths.look({ path: hostPath, devices: true }, signal);
  if (path === '') throw new BerthError('invalid', `device ${hostPath} is not on this node${problem === '' ? '' : `: ${problem}`}`);
  if (kind !== 'directory' && kind !== 'device') throw new BerthError('invalid', `${hostPath} is not a device`);
  return devices.map((device) => specDevice(device, { containerPath: containerPath === '' ? hostPath : containerPath, access }));
}

function specDevice({ path, block, major, minor, mode, uid, gid }: HostDevice, { containerPath, access }: { readonly containerPath: string; readonly access: string }): SpecDevices[number] {
  const inside = path === '' ? containerPath : join(containerPath, path);
  return { device: { path: inside, type: block ? 'b' : 'c', major, minor, fileMode: mode, uid, gid }, access };
}
