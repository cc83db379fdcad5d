import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { newContainerId, type ContainerId, type SnapshotKey } from '../../lib/ids.ts';
import { Waterfall } from '../../lib/waterfall.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import { publishContainer } from '../facts/publish.ts';
import type { Container, ContainerConfig } from '../model/container.ts';
import type { Pod } from '../model/pod.ts';
import { containerCreated, containerFailed, containerMade } from '../plugins/container-hooks.ts';
import { handlerOf } from '../spec/handler-of.ts';
import { snapshotterFor } from '../spec/snapshotter-for.ts';
import { observed, observePhases } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { makePrivateDirectory } from '../private-directory.ts';
import { checkContainerConfig } from '../spec/check-container-config.ts';
import { containerName } from '../stores/container-store.ts';
import { withOciResources } from './record-resources.ts';
import { releaseContainer } from './release-container.ts';
import { idShift } from '../spec/rootfs-mounts.ts';
import { hostSources } from '../spec/binds.ts';
import { composeSpec, type Creation } from '../spec/compose-spec.ts';
import { stopSignalName } from '../spec/stop-signal.ts';
import { warmCgroups } from './warm-cgroups.ts';
import { writeBundle } from '../spec/bundle.ts';

/** See ContainerService.create. */
export function createContainer(parts: EngineParts, podId: string, config: ContainerConfig, signal: AbortSignal): Promise<Container> {
  return observed(parts, 'create-container', async () => {
    const pod = parts.pods.get(podId);
    const name = containerName(pod.id, config);
    return parts.creationFlights.run(name, (attempt) => makeContainer(parts, pod, config, attempt), signal);
  });
}

async function makeContainer(parts: EngineParts, pod: Pod, config: ContainerConfig, signal: AbortSignal): Promise<Container> {
  const waterfall = new Waterfall(parts.clock);
  warmCgroups(parts);
  checkReady(parts, pod);
  checkName(parts, pod, config);
  const image = await waterfall.phase('image', async () => parts.images.find(config.image));
  if (image === undefined) throw new BerthError('not-found', `image "${config.image}" is not on this node`, { hint: 'pull it first' });
  checkContainerConfig(parts, pod, config);
  const creation: Creation = { id: newContainerId(), pod, config, image, waterfall };
  try {
    const container = await build(parts, creation, signal);
    // Nothing may be waited for between this check and the record, or a pod that stops would miss the container.
    checkReady(parts, pod);
    parts.containers.add(container);
    parts.ledger.creations.delete(creation.id);
    observePhases(parts, 'create-container', waterfall);
    publishContainer(parts, 'created', container);
  } catch (error) {
    await containerFailed(parts, creation.id);
    await abandon(parts, creation.id);
    throw error;
  }
  const made = parts.containers.required(creation.id);
  await containerCreated(parts, made);
  return made;
}

function checkReady(parts: EngineParts, pod: Pod): void {
  const state = parts.pods.peek(pod.id)?.state;
  if (state !== 'ready') throw new BerthError('precondition', `pod ${pod.id} is ${state ?? 'gone'} and takes no container`);
}

function checkName(parts: EngineParts, pod: Pod, config: ContainerConfig): void {
  const living = parts.containers.byName(pod.id, config);
  if (living === undefined) return;
  throw new BerthError('already-exists', `container ${config.name} (attempt ${config.attempt}) of pod ${pod.id} exists already as ${living.id}`, {
    hint: 'remove it or ask for the next attempt',
  });
}

async function build(parts: EngineParts, creation: Creation, signal: AbortSignal): Promise<Container> {
  const { id, pod, config, image, waterfall } = creation;
  const stopSignal = stopSignalName(config.stopSignal, image.config.stopSignal);
  // The agent looks while the snapshot is made. Who fails before it has answered does not wait for it.
  const sources = hostSources(parts, config.mounts, signal);
  sources.catch(() => undefined);
  const rootfs = await waterfall.phase('snapshot', async () => {
    const snapshotter = await snapshotterFor(parts, pod, image, signal);
    return snapshotter.prepare(id as string as SnapshotKey, image.topSnapshot, signal, idShift(pod));
  });
  const { spec: plain, user } = await composeSpec(parts, creation, { rootfs, sources }, signal);
  const container = recordOf(parts, creation, user, stopSignal);
  const spec = parts.nri.active ? await waterfall.phase('plugins', () => containerMade(parts, container, plain, signal)) : plain;
  await waterfall.phase('bundle', async () => {
    const hints = parts.shims.specAnnotations(handlerOf(parts, pod), spec.linux.seccomp);
    const bundle = parts.paths.bundle(id);
    makePrivateDirectory(bundle, pod);
    writeBundle(bundle, { ...spec, annotations: { ...spec.annotations, ...hints } });
  });
  const resources = spec === plain ? config.resources : withOciResources(config.resources, spec.linux.resources);
  return { ...container, resources, waterfall: waterfall.phases() };
}

function recordOf(parts: EngineParts, { id, pod, config, image }: Creation, user: Container['user'], stopSignal: string): Container {
  return {
    id,
    owner: pod.config.owner,
    podId: pod.id,
    config,
    state: 'created',
    imageId: image.id,
    imageRef: image.repoDigests[0] ?? image.id,
    createdAtNs: parts.clock.nowNs(),
    startedAtNs: undefined,
    exit: undefined,
    user,
    resources: config.resources,
    stopSignal,
    logPath: pod.config.logDirectory === '' || config.logPath === '' ? '' : join(pod.config.logDirectory, config.logPath),
    task: undefined,
    restoreFrom: undefined,
    waterfall: [],
  };
}

/** The name is free again at once; what could not be undone is in nobody's way, and is tried again. */
async function abandon(parts: EngineParts, id: ContainerId): Promise<void> {
  try {
    await releaseContainer(parts, id, cleanUpSignal());
  } catch (error) {
    parts.log.warn({ container: id, err: error }, 'a container that could not be made was not undone; it is tried again');
    parts.background.retry('undoing a failed container', { container: id }, (signal) => releaseContainer(parts, id, signal));
  }
}
