import { posix } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { capabilitySets, effectiveCapabilities, unknownCapabilities } from './capabilities.ts';
import type { SpecInput } from './input.ts';
import { mounts, rootfsPropagation } from './mounts.ts';
import { namespaces, ociIdMappings } from './namespaces.ts';
import { processArgs, processEnv } from './process.ts';
import { deviceRules, ociResources, oomScoreAdj } from './resources.ts';
import type { OciLinux, OciProcess, OciSpec } from './types.ts';

/** Debian 12's crun refuses anything newer than 1.1.0, and nothing we write needs it. */
const ociVersion = '1.0.2';

function checkCapabilities(input: SpecInput): void {
  const unknown = input.security.capabilities === undefined ? [] : unknownCapabilities(input.security.capabilities);
  if (unknown.length > 0) throw new BerthError('invalid', `unknown capability ${unknown.join(', ')}`, { hint: 'see capabilities(7) for the names' });
}

function buildProcess(input: SpecInput, capabilities: readonly string[]): OciProcess {
  const { process, security } = input;
  return {
    terminal: process.tty,
    user: { uid: process.user.uid, gid: process.user.gid, additionalGids: process.user.groups },
    args: processArgs(process),
    env: processEnv(process),
    cwd: posix.resolve('/', process.workingDir || process.image.workingDir),
    capabilities: capabilitySets(capabilities, security.capabilities?.addAmbient),
    noNewPrivileges: security.noNewPrivileges,
    oomScoreAdj: oomScoreAdj(input.resources.oomScoreAdj, input.host),
    ...(input.apparmorProfile === undefined ? {} : { apparmorProfile: input.apparmorProfile }),
    ...(input.selinux === undefined ? {} : { selinuxLabel: input.selinux.process }),
  };
}

function buildLinux(input: SpecInput, capabilities: readonly string[]): OciLinux {
  const { security, namespaces: ns } = input;
  const propagation = rootfsPropagation(input.binds);
  return {
    namespaces: namespaces(ns, security.privileged, input.host),
    ...(ns.user === undefined
      ? {}
      : { uidMappings: ociIdMappings(ns.user.uidMappings), gidMappings: ociIdMappings(ns.user.gidMappings) }),
    cgroupsPath: input.cgroupsPath,
    resources: { ...ociResources(input.resources, input.host), devices: deviceRules(input, capabilities) },
    devices: input.devices.map(({ device }) => device),
    // An empty list is meant: the kubelet sends the customary paths, or none for procMount: Unmasked.
    maskedPaths: security.privileged ? [] : security.maskedPaths,
    readonlyPaths: security.privileged ? [] : security.readonlyPaths,
    ...(input.seccomp === undefined ? {} : { seccomp: input.seccomp }),
    ...(input.selinux === undefined ? {} : { mountLabel: input.selinux.mount }),
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
  };
}

/** The OCI runtime spec of a container. Pure: all that depends on the host is in the input. */
export function buildSpec(input: SpecInput): OciSpec {
  checkCapabilities(input);
  const capabilities = effectiveCapabilities(input.security.capabilities, input.security.privileged, input.host.boundingCapabilities);
  return {
    ociVersion,
    process: buildProcess(input, capabilities),
    root: { path: input.rootfs, readonly: input.security.readonlyRootfs },
    mounts: mounts(input),
    annotations: input.annotations,
    linux: buildLinux(input, capabilities),
  };
}
