import { mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { BerthError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { listenForRoot } from '../lib/unix-socket.ts';
import type { OciResources } from '../oci/runtime-spec/types.ts';
import { mergeOciResources } from '../oci/runtime-spec/merge-resources.ts';
import { containerMessage, podMessage } from './describe.ts';
import { createThroughPlugins } from './create-through-plugins.ts';
import { containerEvents, event, podEvents, type EventNumber } from './events.ts';
import { forAll } from './for-all.ts';
import type { ContainerMessage, PodMessage, UpdateMessage } from './messages.ts';
import { nriMethods, type NriMethods } from './methods.ts';
import { Owners } from './owners.ts';
import { Plugin, type PluginSettings, type Wishes } from './plugin.ts';
import type { ContainerEvent, Nri, NriAdjusted, NriCreation, NriHost, NriPod, NriSubject, PodEvent } from './port.ts';
import { ociOfResources, resourcesMessage } from './resources.ts';
import { syncParts } from './sync-parts.ts';
import { Updates } from './updates.ts';

export interface NriSettings extends PluginSettings {
  /** Empty: no plugin may connect. */
  readonly socket: string;
}

interface StateChange {
  readonly pod: PodMessage;
  readonly container: ContainerMessage | null;
  readonly event: EventNumber;
}

/** The plugins that have connected to the NRI socket. */
export class NriPlugins implements Nri {
  readonly #log: Log;
  readonly #settings: NriSettings;
  readonly #server: Server;
  readonly #connecting = new Set<Plugin>();
  #methods: NriMethods | undefined;
  #host: NriHost | undefined;
  #plugins: readonly Plugin[] = [];

  constructor(log: Log, settings: NriSettings) {
    this.#log = log;
    this.#settings = settings;
    this.#server = createServer((socket) => {
      void this.#welcome(socket);
    });
  }

  get active(): boolean {
    return this.#plugins.length > 0;
  }

  async open(host: NriHost): Promise<void> {
    this.#host = host;
    const { socket } = this.#settings;
    if (socket === '') return;
    await mkdir(dirname(socket), { recursive: true, mode: 0o700 });
    // Who may connect decides what containers are made of.
    await listenForRoot(this.#server, socket);
  }

  /** Tells plugins that it is over and lets go of them. */
  async close(): Promise<void> {
    if (this.#server.listening) {
      await rm(this.#settings.socket, { force: true });
      this.#server.close();
    }
    for (const plugin of this.#connecting) plugin.close();
    await Promise.all(this.#plugins.map((plugin) => this.#dismiss(plugin)));
  }

  async podEvent(which: PodEvent, pod: NriPod, signal: AbortSignal): Promise<void> {
    const message = { pod: podMessage(pod) };
    const method = this.#contract.plugin.pod[which];
    const tell = async (plugin: Plugin): Promise<void> => {
      if (!(await plugin.understands(method, message, signal))) await this.#tellOld(plugin, { ...message, container: null, event: podEvents[which] }, signal);
    };
    await inTurn(this.#wanting(podEvents[which]), which === 'run', tell);
  }

  async updatePod(pod: NriPod, { overhead, resources }: { readonly overhead: OciResources | undefined; readonly resources: OciResources | undefined }, signal: AbortSignal): Promise<void> {
    const request = {
      pod: podMessage(pod),
      overheadLinuxResources: overhead === undefined ? null : resourcesMessage(overhead),
      linuxResources: resources === undefined ? null : resourcesMessage(resources),
    };
    for (const plugin of this.#wanting(event.updatePod)) await plugin.ask(this.#contract.plugin.updatePod, request, signal);
  }

  async createContainer(creation: NriCreation, signal: AbortSignal): Promise<NriAdjusted> {
    const { adjusted, wishes } = await createThroughPlugins(this.#contract.plugin, this.#plugins, creation, signal);
    await this.#change(wishes, 'plugins');
    return adjusted;
  }

  async containerEvent(which: ContainerEvent, subject: NriSubject, signal: AbortSignal): Promise<void> {
    const message = subjectMessage(subject);
    const method = this.#contract.plugin.container[which];
    const tell = async (plugin: Plugin): Promise<void> => {
      if (!(await plugin.understands(method, message, signal))) await this.#tellOld(plugin, { ...message, event: containerEvents[which] }, signal);
    };
    await inTurn(this.#wanting(containerEvents[which]), which === 'start', tell);
  }

  async updateContainer(subject: NriSubject, asked: OciResources, signal: AbortSignal): Promise<OciResources> {
    const { id } = subject.container;
    const updates = new Updates(new Owners());
    const evict: Wishes['evict'][number][] = [];
    let wanted = asked;
    for (const plugin of this.#wanting(event.updateContainer)) {
      const request = { ...subjectMessage(subject), linuxResources: resourcesMessage(wanted) };
      const answer = await plugin.ask(this.#contract.plugin.updateContainer, request, signal);
      if (answer === undefined) continue;
      updates.add(plugin.name, answer.update);
      evict.push(...answer.evict);
      wanted = mergeOciResources(wanted, ociOfResources(updates.take(id)));
    }
    await this.#change({ update: updates.messages(), evict }, 'plugins');
    return wanted;
  }

  async stopContainer(subject: NriSubject, signal: AbortSignal): Promise<void> {
    const updates = new Updates(new Owners());
    try {
      await forAll(this.#wanting(event.stopContainer), async (plugin) => {
        const answer = await plugin.ask(this.#contract.plugin.stopContainer, subjectMessage(subject), signal);
        await forAll(answer?.update ?? [], async (update) => { updates.add(plugin.name, [update]); });
      });
    } finally {
      await this.#change({ update: updates.messages(), evict: [] }, 'plugins');
    }
  }

  /** Read when the first plugin comes. */
  get #contract(): NriMethods {
    return (this.#methods ??= nriMethods());
  }

  #wanting(number: EventNumber): readonly Plugin[] {
    return this.#plugins.filter((plugin) => plugin.wants(number));
  }

  /** Old plugins hear of all events by one call. */
  async #tellOld(plugin: Plugin, message: StateChange, signal: AbortSignal): Promise<void> {
    await plugin.ask(this.#contract.plugin.stateChange, message, signal);
  }

  async #welcome(socket: Socket): Promise<void> {
    const plugin = new Plugin(socket, {
      methods: this.#contract,
      settings: this.#settings,
      log: this.#log,
      change: (wishes, name) => this.#change(wishes, `plugin ${name}`),
    });
    this.#connecting.add(plugin);
    try {
      await plugin.register();
      await this.#join(plugin);
      this.#log.info({ plugin: plugin.name }, 'an NRI plugin has joined');
    } catch (error) {
      plugin.close();
      this.#log.warn({ plugin: plugin.name, err: error }, 'an NRI plugin could not join');
    } finally {
      this.#connecting.delete(plugin);
    }
  }

  /**
   * Nothing may be awaited between the look at what exists and the plugin's place among the others: whatever is made later
   * is told to it as an event, and events wait until it has heard of what exists.
   */
  async #join(plugin: Plugin): Promise<void> {
    const host = this.#known;
    const parts = syncParts(this.#contract, host.pods().map(podMessage), host.containers().map((container) => containerMessage(container)));
    const synchronized = plugin.turn(() => this.#synchronize(plugin, parts));
    this.#plugins = [...this.#plugins, plugin].toSorted((a, b) => (a.index < b.index ? -1 : a.index > b.index ? 1 : 0));
    void plugin.ended.then(() => {
      this.#plugins = this.#plugins.filter((other) => other !== plugin);
    });
    const update = await synchronized;
    await this.#change({ update, evict: [] }, `plugin ${plugin.name}`);
  }

  /** A failure disconnects it at once, since events already wait for it. */
  async #synchronize(plugin: Plugin, parts: ReturnType<typeof syncParts>): Promise<readonly UpdateMessage[]> {
    try {
      for (const part of parts) {
        const { update, more } = await plugin.callJoining(this.#contract.plugin.synchronize, part);
        if (!part.more) return update;
        if (!more || update.length > 0) throw new BerthError('unimplemented', `NRI plugin ${plugin.name} cannot be told of what exists in parts`, { hint: 'build it with a newer stub' });
      }
      return [];
    } catch (error) {
      plugin.close();
      throw error;
    }
  }

  /** Makes the changes one by one and resolves to those that could not be made. */
  async #change({ update, evict }: Wishes, by: string): Promise<readonly UpdateMessage[]> {
    const failed: UpdateMessage[] = [];
    for (const { containerId, reason } of evict) {
      await this.#known.evict(containerId, reason).catch((err: unknown) => {
        this.#log.warn({ container: containerId, err }, `NRI ${by} asked for an eviction that failed`);
      });
    }
    for (const wish of update) {
      try {
        await this.#known.update(wish.containerId, wish.linux?.resources ? ociOfResources(wish.linux.resources) : {});
      } catch (err) {
        this.#log.warn({ container: wish.containerId, err }, `NRI ${by} asked for an update that failed`);
        if (!wish.ignoreFailure) failed.push(wish);
      }
    }
    return failed;
  }

  get #known(): NriHost {
    if (this.#host === undefined) throw new BerthError('internal', 'an NRI plugin came before the engine was there');
    return this.#host;
  }

  async #dismiss(plugin: Plugin): Promise<void> {
    await plugin.call(this.#contract.plugin.shutdown, {}).catch((err: unknown) => {
      this.#log.info({ plugin: plugin.name, err }, 'an NRI plugin did not answer to the shutdown');
    });
    plugin.close();
  }
}

/** A plugin that refuses is the last one asked; what cannot be refused is told to all. */
async function inTurn(plugins: readonly Plugin[], refusable: boolean, tell: (plugin: Plugin) => Promise<void>): Promise<void> {
  if (!refusable) return forAll(plugins, tell);
  for (const plugin of plugins) await tell(plugin);
}

function subjectMessage({ pod, container }: NriSubject): { readonly pod: PodMessage; readonly container: ContainerMessage } {
  return { pod: podMessage(pod), container: containerMessage(container) };
}
