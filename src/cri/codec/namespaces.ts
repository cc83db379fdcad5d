import type { NamespaceOptions, UserNamespace } from '../../engine/model/security.ts';
import * as wire from '../messages/common.ts';
import { pick } from './pick.ts';

/** Absent options mean POD for each namespace, the zero of the enum. */
export function decodeNamespaces(options: wire.NamespaceOption | null): NamespaceOptions {
  return {
    network: pick(wire.namespaceModes, options?.network ?? 0, 'namespace_options.network'),
    pid: pick(wire.namespaceModes, options?.pid ?? 0, 'namespace_options.pid'),
    ipc: pick(wire.namespaceModes, options?.ipc ?? 0, 'namespace_options.ipc'),
    targetId: options?.targetId ?? '',
    user: decodeUser(options?.usernsOptions ?? null),
  };
}

function decodeUser(user: wire.UserNamespace | null): UserNamespace | undefined {
  if (user === null) return undefined;
  return { mode: pick(wire.namespaceModes, user.mode, 'userns_options.mode'), uidMappings: user.uids, gidMappings: user.gids };
}

/** What was asked, for a status. */
export function encodeNamespaces(options: NamespaceOptions): wire.NamespaceOption {
  return {
    network: wire.namespaceModes.indexOf(options.network),
    pid: wire.namespaceModes.indexOf(options.pid),
    ipc: wire.namespaceModes.indexOf(options.ipc),
    targetId: options.targetId,
    usernsOptions: options.user === undefined ? null : { mode: wire.namespaceModes.indexOf(options.user.mode), uids: options.user.uidMappings, gids: options.user.gidMappings },
  };
}
