import { BerthError } from '../../lib/errors.ts';
import type { SecurityContext, SecurityProfile } from '../../engine/model/security.ts';
import * as wire from '../messages/common.ts';
import type { LinuxContainerSecurityContext } from '../messages/container.ts';
import type { LinuxSandboxSecurityContext } from '../messages/sandbox.ts';
import { decodeNamespaces, encodeNamespaces } from './namespaces.ts';
import { pick, userId } from './pick.ts';

/** An absent profile stays absent: it means unconfined for seccomp and the default for AppArmor, which the engine knows. */
function decodeProfile(profile: wire.SecurityProfile | null, deprecated: string, field: string): SecurityProfile | undefined {
  if (profile === null) return decodeDeprecated(deprecated, field);
  const type = pick(wire.profileTypes, profile.profileType, field);
  if (type !== 'localhost' && profile.localhostRef !== '') {
    throw new BerthError('invalid', `${field}.localhost_ref is only for profile type Localhost`);
  }
  return { type, localhostRef: profile.localhostRef.replace(/^localhost\//, '') };
}

/** The string form that older clients send. */
function decodeDeprecated(word: string, field: string): SecurityProfile | undefined {
  if (word === '') return undefined;
  if (word === 'unconfined') return { type: 'unconfined', localhostRef: '' };
  if (word === 'runtime/default' || word === 'docker/default') return { type: 'runtime-default', localhostRef: '' };
  if (word.startsWith('localhost/')) return { type: 'localhost', localhostRef: word.slice('localhost/'.length) };
  throw new BerthError('invalid', `${field} has the unknown profile "${word}"`, { hint: 'use runtime/default, unconfined or localhost/NAME' });
}

type Shared = LinuxContainerSecurityContext | LinuxSandboxSecurityContext;

function decodeShared(context: Shared): Omit<SecurityContext, 'seccomp' | 'apparmor' | 'capabilities' | 'noNewPrivileges' | 'runAsUsername' | 'maskedPaths' | 'readonlyPaths'> {
  return {
    namespaces: decodeNamespaces(context.namespaceOptions),
    privileged: context.privileged,
    readonlyRootfs: context.readonlyRootfs,
    runAsUser: context.runAsUser === null ? undefined : userId(context.runAsUser.value, 'run_as_user'),
    runAsGroup: context.runAsGroup === null ? undefined : userId(context.runAsGroup.value, 'run_as_group'),
    supplementalGroups: context.supplementalGroups.map((group) => userId(group, 'supplemental_groups')),
    supplementalGroupsPolicy: pick(wire.groupPolicies, context.supplementalGroupsPolicy, 'supplemental_groups_policy'),
    selinux: context.selinuxOptions ?? undefined,
  };
}

/** What an absent security context stands for. */
const unset: SecurityContext = {
  namespaces: decodeNamespaces(null),
  privileged: false,
  readonlyRootfs: false,
  noNewPrivileges: false,
  runAsUser: undefined,
  runAsUsername: '',
  runAsGroup: undefined,
  supplementalGroups: [],
  supplementalGroupsPolicy: 'merge',
  capabilities: undefined,
  seccomp: undefined,
  apparmor: undefined,
  selinux: undefined,
  maskedPaths: [],
  readonlyPaths: [],
};

export function decodeSandboxSecurity(context: LinuxSandboxSecurityContext | null): SecurityContext {
  if (context === null) return unset;
  return {
    ...unset,
    ...decodeShared(context),
    seccomp: decodeProfile(context.seccomp, context.seccompProfilePath, 'seccomp'),
    apparmor: decodeProfile(context.apparmor, '', 'apparmor'),
  };
}

export function decodeContainerSecurity(context: LinuxContainerSecurityContext | null): SecurityContext {
  if (context === null) return unset;
  const { capabilities } = context;
  return {
    ...decodeShared(context),
    noNewPrivileges: context.noNewPrivs,
    runAsUsername: context.runAsUsername,
    capabilities:
      capabilities === null ? undefined : { add: capabilities.addCapabilities, drop: capabilities.dropCapabilities, addAmbient: capabilities.addAmbientCapabilities },
    seccomp: decodeProfile(context.seccomp, context.seccompProfilePath, 'seccomp'),
    apparmor: decodeProfile(context.apparmor, context.apparmorProfile, 'apparmor'),
    maskedPaths: context.maskedPaths,
    readonlyPaths: context.readonlyPaths,
  };
}

const encodeProfile = (profile: SecurityProfile | undefined): wire.SecurityProfile | null =>
  profile === undefined ? null : { profileType: wire.profileTypes.indexOf(profile.type), localhostRef: profile.localhostRef };

const encodeId = (id: number | undefined): wire.Int64Value | null => (id === undefined ? null : { value: BigInt(id) });

type SharedFields = Omit<LinuxSandboxSecurityContext, 'seccompProfilePath'>;

function encodeShared(security: SecurityContext): SharedFields {
  return {
    namespaceOptions: encodeNamespaces(security.namespaces),
    selinuxOptions: security.selinux ?? null,
    runAsUser: encodeId(security.runAsUser),
    runAsGroup: encodeId(security.runAsGroup),
    readonlyRootfs: security.readonlyRootfs,
    supplementalGroups: security.supplementalGroups.map(BigInt),
    supplementalGroupsPolicy: wire.groupPolicies.indexOf(security.supplementalGroupsPolicy),
    privileged: security.privileged,
    seccomp: encodeProfile(security.seccomp),
    apparmor: encodeProfile(security.apparmor),
  };
}

/** Deprecated fields come back as those that replace them. */
export function encodeSandboxSecurity(security: SecurityContext): LinuxSandboxSecurityContext {
  return { ...encodeShared(security), seccompProfilePath: '' };
}

/** Deprecated fields come back as those that replace them. */
export function encodeContainerSecurity(security: SecurityContext): LinuxContainerSecurityContext {
  const { capabilities } = security;
  return {
    ...encodeShared(security),
    capabilities:
      capabilities === undefined ? null : { addCapabilities: capabilities.add, dropCapabilities: capabilities.drop, addAmbientCapabilities: capabilities.addAmbient },
    runAsUsername: security.runAsUsername,
    noNewPrivs: security.noNewPrivileges,
    maskedPaths: security.maskedPaths,
    readonlyPaths: security.readonlyPaths,
    apparmorProfile: '',
    seccompProfilePath: '',
  };
}
