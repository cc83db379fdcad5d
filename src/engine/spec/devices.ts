import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { readDevice } from '../../lib/host-facts.ts';
import type { SpecInput } from '../../oci/runtime-spec/input.ts';
import type { OciDevice } from '../../oci/runtime-spec/types.ts';
import type { ContainerConfig, ContainerDevice } from '../model/container.ts';

type SpecDevices = SpecInput['devices'];

/** What the container gets from mounts of its own, or makes itself, and where LXC (whole kernel file systems) and udev keep things of their own. */
const notPassed = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'ptmx', '.lxc', '.lxd-mounts', '.udev']);

/** The devices of the spec: those asked for, and all of the host's for a privileged container. With an `owner` they are the owner's. */
export function specDevices({ security, devices }: ContainerConfig, owner: DeviceOwner | undefined): SpecDevices {
  const asked = devices.flatMap(requested).map(({ device, access }) => ({ device: owned(device, owner), access }));
  if (!security.privileged) return asked;
  const taken = new Set(asked.map(({ device }) => device.path));
  return [...devicesBelow('/dev', { containerPath: '/dev', access: 'rwm' }).filter(({ device }) => !taken.has(device.path)), ...asked];
}

const owned = (device: OciDevice, owner: DeviceOwner | undefined): OciDevice => ({ ...device, ...owner });

/** Who a request says that a container runs as, where its devices are to follow that; what it does not say stays as on the host. */
export interface DeviceOwner {
  readonly uid?: number;
  readonly gid?: number;
}

export function deviceOwner({ runAsUser, runAsGroup }: ContainerConfig['security']): DeviceOwner {
  return { ...(runAsUser === undefined ? {} : { uid: runAsUser }), ...(runAsGroup === undefined ? {} : { gid: runAsGroup }) };
}

function requested({ hostPath, containerPath, permissions }: ContainerDevice): SpecDevices {
  const access = permissions === '' ? 'rwm' : permissions;
  if (!/^[rwm]{1,3}$/.test(access)) throw new BerthError('invalid', `device ${hostPath} asks for the permissions "${permissions}"`, { hint: 'use letters of rwm' });
  const path = containerPath === '' ? hostPath : containerPath;
  const stat = statSync(hostPath, { throwIfNoEntry: false });
  if (stat === undefined) throw new BerthError('invalid', `device ${hostPath} is not on this node`);
  if (stat.isDirectory()) return devicesBelow(realpathSync(hostPath), { containerPath: path, access });
  const device = readDevice(hostPath);
  if (device === undefined) throw new BerthError('invalid', `${hostPath} is not a device`);
  return [{ device: { ...device, path }, access }];
}

function devicesBelow(directory: string, as: { readonly containerPath: string; readonly access: string }): SpecDevices {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry): SpecDevices => {
    const hostPath = join(directory, entry.name);
    const containerPath = join(as.containerPath, entry.name);
    if (notPassed.has(entry.name)) return [];
    if (entry.isDirectory()) return devicesBelow(hostPath, { ...as, containerPath });
    const device = entry.isCharacterDevice() || entry.isBlockDevice() ? readDevice(hostPath) : undefined;
    return device === undefined ? [] : [{ device: { ...device, path: containerPath }, access: as.access }];
  });
}
