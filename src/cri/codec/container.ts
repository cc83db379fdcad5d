import { shownState, type Container } from '../../engine/model/container.ts';
import { containerStates, type Container as WireContainer, type ContainerStatus } from '../messages/container.ts';
import { encodeMount, type ImageIdOf } from './container-config.ts';
import { encodeResources } from './resources.ts';
import { encodeStopSignal } from './stop-signal.ts';

export function encodeContainer(container: Container): WireContainer {
  const { config } = container;
  return {
    id: container.id,
    podSandboxId: container.podId,
    metadata: { name: config.name, attempt: config.attempt },
    image: { image: config.image, userSpecifiedImage: config.userSpecifiedImage },
    imageRef: container.imageRef,
    state: containerStates.indexOf(shownState(container.state)),
    createdAt: container.createdAtNs,
    labels: config.labels,
    annotations: config.annotations,
    imageId: container.imageId,
  };
}

export function encodeContainerStatus(container: Container, imageIdOf: ImageIdOf): ContainerStatus {
  const { config, exit, user } = container;
  const { podSandboxId: _pod, ...shared } = encodeContainer(container);
  return {
    ...shared,
    image: { image: config.userSpecifiedImage === '' ? config.image : config.userSpecifiedImage, userSpecifiedImage: config.userSpecifiedImage },
    startedAt: container.startedAtNs ?? 0n,
    finishedAt: exit?.finishedAtNs ?? 0n,
    exitCode: exit?.exitCode ?? 0,
    reason: exit?.reason ?? '',
    message: exit?.message ?? '',
    mounts: config.mounts.map((mount) => encodeMount(mount, imageIdOf)),
    logPath: container.logPath,
    resources: { linux: encodeResources(container.resources) },
    user: { linux: { uid: BigInt(user.uid), gid: BigInt(user.gid), supplementalGroups: user.groups.map(BigInt) } },
    stopSignal: encodeStopSignal(container.stopSignal),
  };
}
