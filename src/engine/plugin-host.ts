import type { NriHost } from '../nri/port.ts';
import { changeResources } from './containers/update-container.ts';
import { stopContainer } from './containers/stop-container.ts';
import { isLive, type Container } from './model/container.ts';
import type { EngineParts } from './parts.ts';
import { concernsPlugins, describeContainer, describePod } from './plugins/describe.ts';

/** What plugins see and may do of their own accord. The first one is shown everything before it counts as active. */
export function pluginHost(parts: EngineParts): NriHost {
  const { pods, containers, ledger, background, log } = parts;
  return {
    pods: () => pods.all().filter(concernsPlugins).filter(({ id, state }) => state !== 'creating' || ledger.pods.has(id)).map((pod) => describePod(parts, pod)),
    containers: () => [
      ...containers.all().filter((container) => livesForPlugins(parts, container)).map((container) => describeContainer(parts, container)),
      ...[...ledger.creations.values()].map(({ container }) => container),
    ],
    update: async (id, resources) => {
      const container = containers.find(id);
      if (container !== undefined) await changeResources(parts, container.id, { resources, asked: undefined }, background.signal);
    },
    evict: async (id, reason) => {
      log.info({ container: id, reason }, 'a plugin evicts a container');
      // Not waited for: a plugin that is asked about this very container is told of its end only when it has answered.
      background.run('evicting a container', { container: id }, (signal) => stopContainer(parts, id, 0, signal));
    },
  };
}

function livesForPlugins(parts: EngineParts, { state, podId }: Container): boolean {
  return (state === 'created' || state === 'starting' || isLive({ state })) && concernsPlugins(parts.pods.required(podId));
}
