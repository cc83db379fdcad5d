import { join } from 'node:path';
import { BerthError } from '../../lib/errors.ts';
import { newContainerId, type ContainerId, type PodId, type SnapshotKey } from '../../lib/ids.ts';
import { Waterfall } from '../../lib/waterfall.ts';
import { cleanUpSignal } from '../clean-up-signal.ts';
import { publishContainer } from '../facts/publish.ts';
import type { Container, ContainerConfig, Place, StandalonePlace } from '../model/container.ts';
import type { Owner } from '../model/owner.ts';
import type { Pod, PodConfig } from '../model/pod.ts';
import { containerCreated, containerFailed } from '../plugins/container-hooks.ts';
import { snapshotterFor } from '../spec/snapshotter-for.ts';
import { observed, observePhases } from '../observed.ts';
import type { EngineParts } from '../parts.ts';
import { checkPodConfig } from '../sandboxes/check-pod-config.ts';
import { checkPodKey, recordPod } from '../sandboxes/record-pod.ts';
import { checkContainerConfig } from '../spec/check-container-config.ts';
import { containerName } from '../stores/container-store.ts';
import { prepareRun } from './prepare-run.ts';
import { releaseContainer } from './release-container.ts';
import { idShift } from '../spec/rootfs-mounts.ts';
import { hostSources } from '../spec/binds.ts';
import type { Creation } from '../spec/compose-spec.ts';
import { stopSignalName } from '../spec/stop-signal.ts';
import { warmCgroups } from './warm-cgroups.ts';

/** See ContainerService.create. */
export function createContainer(parts: EngineParts, podId: string, config: ContainerConfig, signal: AbortSignal): Promise<Container> {
  return observed(parts, 'create-container', async () => {
    const pod = parts.pods.get(podId);
    return inFlight(parts, { place: 'given', owner: pod.config.owner, pod: () => pod, podId: pod.id }, config, signal);
  });
}

/** See ContainerService.createStandalone. */
export function createStandalone(parts: EngineParts, place: StandalonePlace, config: ContainerConfig, signal: AbortSignal): Promise<Container> {
  return observed(parts, 'create-container', async () => inFlight(parts, 'own' in place ? ownPlace(parts, place.own) : joinedPlace(parts, place.joins), config, signal));
}

/** Where a container comes into being. */
interface Birth {
  readonly place: Place;
  readonly owner: Owner;
  /** Part of the name in a given pod. */
  readonly podId: PodId;
  /** Records it first where it is to be the container's own. */
  readonly pod: (id: ContainerId) => Pod;
}

function ownPlace(parts: EngineParts, config: PodConfig): Birth {
  checkPodConfig(parts, config);
  const pod = (id: ContainerId): Pod => {
    checkPodKey(parts, config);
    return recordPod(parts, config, id);
  };
  return { place: 'own', owner: config.owner, podId: '' as PodId, pod };
}

function joinedPlace(parts: EngineParts, other: string): Birth {
  const { id, owner, place, podId } = parts.containers.get(other);
  if (place !== 'own') throw new BerthError('precondition', `container ${id} cannot be joined, since its namespaces are not its own`, { hint: 'join the container that they belong to' });
  return { place: 'joined', owner, podId, pod: () => parts.pods.required(podId) };
}

function inFlight(parts: EngineParts, birth: Birth, config: ContainerConfig, signal: AbortSignal): Promise<Container> {
  const name = containerName({ ...birth, config });
  return parts.creationFlights.run(name, (attempt) => makeContainer(parts, birth, config, attempt), signal);
}

async function makeContainer(parts: EngineParts, birth: Birth, config: ContainerConfig, signal: AbortSignal): Promise<Container> {
  const waterfall = new Waterfall(parts.clock);
  if (birth.place === 'given') {
    warmCgroups(parts);
    checkReady(parts, birth.podId);
  }
  checkName(parts, birth, config);
  const image = await waterfall.phase('image', async () => parts.images.find(config.image));
  if (image === undefined) throw new BerthError('not-found', `image "${config.image}" is not on this node`, { hint: 'pull it first' });
  const id = newContainerId();
  const pod = birth.pod(id);
  try {
    checkContainerConfig(parts, pod, config);
    const container = await build(parts, birth, { id, pod, config, image, waterfall }, signal);
    // Nothing may be waited for between this check and the record, or a pod that stops would miss the container.
    if (birth.place === 'given') checkReady(parts, pod.id);
    parts.containers.add(container);
    parts.ledger.creations.delete(id);
    observePhases(parts, 'create-container', waterfall);
    publishContainer(parts, 'created', container);
  } catch (error) {
    await containerFailed(parts, id);
    await abandon(parts, id);
    if (birth.place === 'own') parts.pods.delete(pod.id);
    throw error;
  }
  const made = parts.containers.required(id);
  if (birth.place === 'given') await containerCreated(parts, made);
  return made;
}

function checkReady(parts: EngineParts, id: PodId): void {
  const state = parts.pods.peek(id)?.state;
  if (state !== 'ready') throw new BerthError('precondition', `pod ${id} is ${state ?? 'gone'} and takes no container`);
}

function checkName(parts: EngineParts, birth: Birth, config: ContainerConfig): void {
  const living = parts.containers.byName(containerName({ ...birth, config }));
  if (living === undefined) return;
  if (birth.place !== 'given') throw new BerthError('already-exists', `container ${config.name} exists already as ${living.id}`, { hint: 'remove it or choose another name' });
  throw new BerthError('already-exists', `container ${config.name} (attempt ${config.attempt}) of pod ${birth.podId} exists already as ${living.id}`, { hint: 'remove it or ask for the next attempt' });
}

async function build(parts: EngineParts, { place }: Birth, creation: Creation, signal: AbortSignal): Promise<Container> {
  const { id, pod, config, image, waterfall } = creation;
  const container = recordOf(parts, place, creation, stopSignalName(config.stopSignal, image.config.stopSignal));
  const isGiven = place === 'given';
  // The agent looks while the snapshot is made. Who fails before it has answered does not wait for it.
  const sources = isGiven ? hostSources(parts, config.mounts, signal) : Promise.resolve([]);
  sources.catch(() => undefined);
  const rootfs = await waterfall.phase('snapshot', async () => {
    const snapshotter = await snapshotterFor(parts, pod, image, signal);
    return snapshotter.prepare(id as string as SnapshotKey, image.topSnapshot, signal, { idShift: idShift(pod), durable: !isGiven });
  });
  return isGiven ? prepareRun(parts, { creation, container, rootfs, sources }, signal) : { ...container, waterfall: waterfall.phases() };
}

function recordOf(parts: EngineParts, place: Place, { id, pod, config, image }: Creation, stopSignal: string): Container {
  return {
    id,
    owner: pod.config.owner,
    place,
    podId: pod.id,
    config,
    state: 'created',
    imageId: image.id,
    imageRef: image.repoDigests[0] ?? image.id,
    createdAtNs: parts.clock.nowNs(),
    runs: 0,
    startedAtNs: undefined,
    exit: undefined,
    user: { uid: 0, gid: 0, groups: [] },
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
