import { checkpointContainer } from './checkpoints/checkpoint-container.ts';
import { checkpointPod } from './checkpoints/checkpoint-pod.ts';
import { restorePod } from './checkpoints/restore-pod.ts';
import type { EngineComponents } from './components.ts';
import type { EngineConfig } from './config.ts';
import { specIfAny } from './spec/bundle.ts';
import { createContainer, createStandalone } from './containers/create-container.ts';
import { pauseContainer, unpauseContainer } from './containers/pause-container.ts';
import { removeContainer } from './containers/remove-container.ts';
import { reopenLog } from './containers/reopen-log.ts';
import { startContainer } from './containers/start-container.ts';
import { stopContainer } from './containers/stop-container.ts';
import { updateContainer } from './containers/update-container.ts';
import { attach } from './exec/attach.ts';
import { exec } from './exec/exec.ts';
import { execSync } from './exec/exec-sync.ts';
import { createParts, type EngineParts } from './parts.ts';
import { pluginHost } from './plugin-host.ts';
import { forwardPort } from './pods/forward-port.ts';
import { podEnvironment } from './spec/pod-environment.ts';
import { removePod } from './pods/remove-pod.ts';
import { runPod } from './pods/run-pod.ts';
import { stopPod } from './pods/stop-pod.ts';
import { updatePodResources } from './pods/update-pod-resources.ts';
import type { Owner } from './model/owner.ts';
import type { ContainerService, Engine, PodService } from './port.ts';
import { recover } from './reconcile/recover.ts';
import { containerStats, listContainerStats } from './stats/container-stats.ts';
import { measure } from './stats/measure.ts';
import { listPodStats, podStats } from './stats/pod-stats.ts';
import { engineStatus } from './status.ts';

/** The engine as the daemon holds it. */
export interface RunningEngine extends Engine {
  /** The engine as a door sees it: with what that door made, and nothing else. */
  of(owner: Owner): Engine;
  /** Takes over what an earlier berthd left. Call once, before any door opens; one broken record never makes it fail. */
  recover(): Promise<void>;
  /** Ends what runs in the background; containers run on. Call it when no door is open any more. */
  close(): Promise<void>;
}

function podService(parts: EngineParts): PodService {
  return {
    run: (config, signal) => runPod(parts, config, signal),
    stop: (id, signal) => stopPod(parts, id, signal),
    remove: (id, signal) => removePod(parts, id, signal),
    find: (id) => parts.pods.find(id),
    get: (id) => parts.pods.get(id),
    environment: (id) => podEnvironment(parts, id),
    list: (filter) => parts.pods.list(filter),
    stats: (id, signal) => podStats(parts, id, signal),
    listStats: (filter, signal) => listPodStats(parts, filter, signal),
    measure: (signal) => measure(parts, signal),
    checkpoint: (request, signal) => checkpointPod(parts, request, signal),
    restore: (request, signal) => restorePod(parts, request, signal),
    forward: (id, port, signal) => forwardPort(parts, id, port, signal),
    updateResources: (id, update, signal) => updatePodResources(parts, id, update, signal),
  };
}

function containerService(parts: EngineParts): ContainerService {
  return {
    create: (podId, config, signal) => createContainer(parts, podId, config, signal),
    createStandalone: (place, config, signal) => createStandalone(parts, place, config, signal),
    start: (id, signal) => startContainer(parts, id, signal),
    stop: (id, graceMs, signal) => stopContainer(parts, id, graceMs, signal),
    pause: (id, signal) => pauseContainer(parts, id, signal),
    unpause: (id, signal) => unpauseContainer(parts, id, signal),
    remove: (id, signal) => removeContainer(parts, id, signal),
    get: (id) => parts.containers.get(id),
    spec: async (id) => specIfAny(parts.paths.bundle(parts.containers.get(id).id)),
    list: (filter) => parts.containers.list(filter),
    update: (id, resources, signal) => updateContainer(parts, id, resources, signal),
    reopenLog: (id, signal) => reopenLog(parts, id, signal),
    checkpoint: (request, signal) => checkpointContainer(parts, request, signal),
    execSync: (request, signal) => execSync(parts, request, signal),
    exec: (request, signal) => exec(parts, request, signal),
    attach: (id, streams, signal) => attach(parts, id, streams, signal),
    stats: (id, signal) => containerStats(parts, id, signal),
    listStats: (filter, signal) => listContainerStats(parts, filter, signal),
  };
}

/** @param owner whose facts are told; undefined: everyone's. The stores among the parts show what the owner finds. */
function engineOver(parts: EngineParts, owner: Owner | undefined): Engine {
  return {
    pods: podService(parts),
    containers: containerService(parts),
    images: parts.images,
    status: () => engineStatus(parts),
    onFact: (listener) => {
      parts.facts.listen(listener, owner);
    },
  };
}

/** Puts the engine on top of its drivers. */
export function createEngine(components: EngineComponents, config: EngineConfig): RunningEngine {
  const parts = createParts(components, config);
  return {
    ...engineOver(parts, undefined),
    of: (owner) => engineOver({ ...parts, pods: parts.pods.of(owner), containers: parts.containers.of(owner) }, owner),
    recover: async () => {
      await recover(parts);
      await parts.nri.open(pluginHost(parts));
    },
    close: async () => {
      parts.background.close();
      await parts.background.settled();
    },
  };
}
