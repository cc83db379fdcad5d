import { BerthError } from '../../lib/errors.ts';
import type { ContainerMount } from '../model/container.ts';
import type { HandlerFeatures } from '../port.ts';

const invalid = (message: string, hint?: string): BerthError => new BerthError('invalid', message, hint === undefined ? {} : { hint });

/** Flags that every OCI runtime can give a bind mount. What the other fields of a mount decide is not among them. */
const bindFlags = ['noexec', 'exec', 'nosuid', 'suid', 'nodev', 'dev', 'noatime', 'atime', 'relatime', 'norelatime', 'strictatime', 'nostrictatime', 'nodiratime', 'diratime'];

/** Fails on a mount that no container can have, or that the pod's runtime handler cannot make. */
export function checkMount(mount: ContainerMount, of: { readonly handler: string; readonly features: HandlerFeatures }): void {
  const at = `the mount at ${mount.containerPath}`;
  if (mount.containerPath === '') throw invalid('a mount says no path in the container');
  if (mount.image === '' && !mount.hostPath.startsWith('/')) throw invalid(`${at} has the host path "${mount.hostPath}", which is not absolute`);
  if (mount.image === '' && mount.imageSubPath !== '') throw invalid(`${at} has a path in an image but mounts no image`);
  const unknown = (mount.mountOptions ?? []).filter((option) => !bindFlags.includes(option));
  if (unknown.length > 0) throw invalid(`${at} asks for the mount options ${unknown.join(', ')}`, `possible are ${bindFlags.join(', ')}`);
  if (mount.uidMappings.length + mount.gidMappings.length > 0 && !of.features.userNamespaces) {
    throw new BerthError('precondition', `${at} is to be shown with other owners, which runtime handler ${of.handler} cannot do`, { hint: 'use a handler whose OCI runtime tells idmapped mounts among its features' });
  }
  if (mount.recursiveReadOnly) checkRecursive(mount, at, of);
}

function checkRecursive(mount: ContainerMount, at: string, { handler, features }: { readonly handler: string; readonly features: HandlerFeatures }): void {
  if (!features.recursiveReadOnlyMounts) {
    throw new BerthError('invalid', `${at} is to be read-only with all below it, which runtime handler ${handler} cannot do`, { reason: 'no-recursive-readonly' });
  }
  if (!mount.readonly) throw invalid(`${at} is to be read-only with all below it but is not read-only itself`);
  if (mount.propagation !== 'private') throw invalid(`${at} is to be read-only with all below it, which takes private propagation`);
}
