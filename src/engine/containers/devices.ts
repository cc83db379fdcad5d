import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { readDevice } from '../../lib/host-facts.ts';
import type { SpecInput } from '../../oci/spec/input.ts';
import type { ContainerConfig, ContainerDevice } from '../model/container.ts';

type SpecDevices = SpecInput['devices'];

/** What the container gets from mounts of its own, or makes itself. */
const notPassed = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', 'ptmx']);

/** The devices of the spec: all of the host's for a privileged container, else those asked for. */
export function specDevices({ security, devices }: ContainerConfig): SpecDevices {
  return security.privileged ? devicesBelow('/dev', { containerPath: '/dev', access: 'rwm' }) : devices.flatMap(requested);
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
