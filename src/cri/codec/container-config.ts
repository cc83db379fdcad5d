import type { ContainerConfig, ContainerMount } from '../../engine/model/container.ts';
import { BerthError } from '../../lib/errors.ts';
import * as wire from '../messages/container.ts';
import { decodeCdiDevices } from './cdi-devices.ts';
import { nonEmpty, pick, required } from './pick.ts';
import { decodeResources, encodeResources } from './resources.ts';
import { decodeContainerSecurity, encodeContainerSecurity } from './security.ts';
import { decodeStopSignal, encodeStopSignal } from './stop-signal.ts';

function decodeMount(mount: wire.Mount): ContainerMount {
  return {
    containerPath: mount.containerPath,
    hostPath: mount.hostPath,
    readonly: mount.readonly,
    recursiveReadOnly: mount.recursiveReadOnly,
    selinuxRelabel: mount.selinuxRelabel,
    propagation: pick(wire.propagations, mount.propagation, 'mounts.propagation'),
    uidMappings: mount.uidMappings,
    gidMappings: mount.gidMappings,
    image: mount.image?.image ?? '',
    imageSubPath: mount.imageSubPath,
    mountOptions: mount.mountOptions,
  };
}

/** Finds the id of an image that is here; empty for any other. */
export type ImageIdOf = (reference: string) => string;

/** A mount as it was asked for, with the id of the image that an image volume is made of. */
export function encodeMount(mount: ContainerMount, imageIdOf: ImageIdOf): wire.Mount {
  const { image, propagation, ...rest } = mount;
  return {
    ...rest,
    mountOptions: mount.mountOptions ?? [],
    propagation: wire.propagations.indexOf(propagation),
    image: image === '' ? null : { image, annotations: {}, userSpecifiedImage: '', runtimeHandler: '', imageRef: imageIdOf(image) },
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes on the wire, but the OCI spec is JSON, so only text can reach a process. */
function decodeEnv(key: string, value: Uint8Array): string {
  try {
    return utf8.decode(value);
  } catch (cause) {
    throw new BerthError('invalid', `the value of the environment variable ${key} is not UTF-8`, { hint: 'encode it, e.g. as base64', cause });
  }
}

export function decodeContainerConfig(message: wire.ContainerConfig | null): ContainerConfig {
  const config = required(message, 'config');
  const metadata = required(config.metadata, 'config.metadata');
  const image = required(config.image, 'config.image');
  return {
    name: nonEmpty(metadata.name, 'config.metadata.name'),
    attempt: metadata.attempt,
    image: nonEmpty(image.image, 'config.image.image'),
    userSpecifiedImage: image.userSpecifiedImage,
    command: config.command,
    args: config.args,
    workingDir: config.workingDir,
    envs: config.envs.map(({ key, value }) => ({ key, value: decodeEnv(key, value) })),
    mounts: config.mounts.map(decodeMount),
    devices: config.devices,
    cdiDevices: decodeCdiDevices(config.CDIDevices.map(({ name }) => name), config.annotations),
    labels: config.labels,
    annotations: config.annotations,
    logPath: config.logPath,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    resources: decodeResources(config.linux?.resources ?? null),
    security: decodeContainerSecurity(config.linux?.securityContext ?? null),
    stopSignal: decodeStopSignal(config.stopSignal),
  };
}

/** What was asked for. */
export function encodeContainerConfig(config: ContainerConfig): wire.ContainerConfig {
  const { name, attempt, image, userSpecifiedImage, command, args, workingDir, devices, labels, annotations, logPath, stdin, stdinOnce, tty } = config;
  return {
    metadata: { name, attempt },
    image: { image, annotations: {}, userSpecifiedImage, runtimeHandler: '', imageRef: '' },
    command,
    args,
    workingDir,
    envs: config.envs.map(({ key, value }) => ({ key, value: new TextEncoder().encode(value) })),
    mounts: config.mounts.map((mount) => encodeMount(mount, () => '')),
    devices,
    labels,
    annotations,
    logPath,
    stdin,
    stdinOnce,
    tty,
    linux: { resources: encodeResources(config.resources), securityContext: encodeContainerSecurity(config.security) },
    CDIDevices: config.cdiDevices.map((device) => ({ name: device })),
    stopSignal: encodeStopSignal(config.stopSignal),
  };
}
