import type { NamespaceMode, NamespaceOptions, UserNamespace } from '../../engine/model/security.ts';
import type * as wire from '../messages/common.ts';
import { pick } from './pick.ts';

const modes: readonly NamespaceMode[] = ['pod', 'container', 'node', 'target'];

/** Absent options mean POD for each namespace, the zero of the enum. */
export function decodeNamespaces(options: wire.NamespaceOption | null): NamespaceOptions {
  return {
    network: pick(modes, options?.network ?? 0, 'namespace_options.network'),
    pid: pick(modes, options?.pid ?? 0, 'namespace_options.pid'),
    ipc: pick(modes, options?.ipc ?? 0, 'namespace_options.ipc'),
    targetId: options?.targetId ?? '',
    user: decodeUser(options?.usernsOptions ?? null),
  };
}

function decodeUser(user: wire.UserNamespace | null): UserNamespace | undefined {
  if (user === null) return undefined;
  return { mode: pick(modes, user.mode, 'userns_options.mode'), uidMappings: user.uids, gidMappings: user.gids };
}

/** What was asked, for a status. */
export function encodeNamespaces(options: NamespaceOptions): wire.NamespaceOption {
  return {
    network: modes.indexOf(options.network),
    pid: modes.indexOf(options.pid),
    ipc: modes.indexOf(options.ipc),
    targetId: options.targetId,
    usernsOptions: options.user === undefined ? null : { mode: modes.indexOf(options.user.mode), uids: options.user.uidMappings, gids: options.user.gidMappings },
  };
}
