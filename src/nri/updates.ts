import { BerthError } from '../lib/errors.ts';
import type { ResourcesMessage, UpdateMessage } from './messages.ts';
import type { Owners } from './owners.ts';
import { noResources, overlayResources } from './resources.ts';

interface Update {
  readonly resources: ResourcesMessage;
  readonly ignoreFailure: boolean;
}

/** What plugins together want of the resources of containers, besides one that is being created. */
export class Updates {
  readonly #updates = new Map<string, Update>();
  readonly #owners: Owners;

  constructor(owners: Owners) {
    this.#owners = owners;
  }

  /** @throws BerthError `precondition` on a conflict, unless the update is one that may fail. */
  add(plugin: string, updates: readonly UpdateMessage[], creating = ''): void {
    for (const { containerId, linux, ignoreFailure } of updates) {
      if (containerId === creating) throw new BerthError('precondition', `NRI plugin ${plugin} asks for an update of container ${containerId} while that is being created`);
      const resources = linux?.resources ?? noResources;
      try {
        this.#owners.claimResources(containerId, plugin, resources);
      } catch (error) {
        if (ignoreFailure) continue;
        throw error;
      }
      const before = this.#updates.get(containerId);
      this.#updates.set(containerId, {
        resources: overlayResources(before?.resources ?? noResources, resources),
        ignoreFailure: ignoreFailure && (before?.ignoreFailure ?? true),
      });
    }
  }

  /** What is wanted of one container, which is then no longer among the others. */
  take(containerId: string): ResourcesMessage {
    const resources = this.#updates.get(containerId)?.resources ?? noResources;
    this.#updates.delete(containerId);
    return resources;
  }

  messages(): readonly UpdateMessage[] {
    return [...this.#updates].map(([containerId, { resources, ignoreFailure }]) => ({ containerId, linux: { resources }, ignoreFailure }));
  }
}
