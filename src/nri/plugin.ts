import type { Duplex } from 'node:stream';
import { BerthError, isKind, messageOf } from '../lib/errors.ts';
import { abortable, KeyedMutex } from '../lib/keyed-mutex.ts';
import type { Log } from '../lib/log.ts';
import { TtrpcClient } from '../lib/ttrpc/client.ts';
import type { Method } from '../lib/ttrpc/method.ts';
import { serveTtrpc, TtrpcRoutes } from '../lib/ttrpc/server.ts';
import { includes, subscription, type EventNumber } from './events.ts';
import type { EvictionMessage, UpdateMessage } from './messages.ts';
import type { NriMethods } from './methods.ts';
import { Mux } from './mux.ts';

/** Time to read why a registration was refused. */
const farewellMs = 100;

/** The numbers of the connections within a plugin's socket. */
const pluginService = 1;
const runtimeService = 2;

/** The version of NRI whose contract is in proto/nri. */
const nriVersion = 'v0.12.0';

export interface PluginSettings {
  readonly version: string;
  readonly registrationTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** What a plugin wants of containers other than the one that it was asked about. */
export interface Wishes {
  readonly update: readonly UpdateMessage[];
  readonly evict: readonly EvictionMessage[];
}

export interface PluginParts {
  readonly methods: NriMethods;
  readonly settings: PluginSettings;
  readonly log: Log;
  /** Makes changes that a plugin asks for on its own account; resolves to those that failed. */
  readonly change: (wishes: Wishes, plugin: string) => Promise<readonly UpdateMessage[]>;
}

/** One plugin behind its connection. It is asked one thing at a time, in the order of the calls. */
export class Plugin {
  readonly #parts: PluginParts;
  readonly #mux: Mux;
  readonly #client: TtrpcClient;
  readonly #turns = new KeyedMutex<'turn'>();
  readonly #registered = Promise.withResolvers<void>();
  #base = '';
  #index = '';
  #events = 0;
  #isOld = false;

  constructor(socket: Duplex, parts: PluginParts) {
    this.#parts = parts;
    this.#mux = new Mux(socket, [pluginService, runtimeService]);
    this.#client = new TtrpcClient(this.#mux.connection(pluginService), 'an NRI plugin');
    serveTtrpc(this.#mux.connection(runtimeService), this.#routes());
    // Whoever awaits the registration hears of the failure; nobody may.
    this.#registered.promise.catch(() => undefined);
    void this.#client.ended.then(() => {
      this.#registered.reject(new BerthError('unavailable', 'an NRI plugin went away before it registered'));
    });
  }

  /** Two digits and the name it gave itself. */
  get name(): string {
    return `${this.#index}-${this.#base}`;
  }

  get base(): string {
    return this.#base;
  }

  /** Two digits: its place among the plugins. */
  get index(): string {
    return this.#index;
  }

  get closed(): boolean {
    return this.#client.closed;
  }

  /** Resolves when the connection is over. */
  get ended(): Promise<void> {
    return this.#client.ended;
  }

  wants(number: EventNumber): boolean {
    return !this.closed && includes(this.#events, number);
  }

  /** Waits for its registration and subscribes it to what it wants. Closes it when that fails. */
  async register(): Promise<void> {
    const { registrationTimeoutMs } = this.#parts.settings;
    const timer = setTimeout(() => {
      this.#registered.reject(new BerthError('timeout', `an NRI plugin did not register within ${registrationTimeoutMs} ms`));
    }, registrationTimeoutMs);
    try {
      await this.#registered.promise;
      await this.#configure();
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs `work`, which may call(), when all that was asked before is answered. */
  turn<Result>(work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    return this.#turns.run('turn', work, signal);
  }

  /**
   * Asks in turn. undefined: it is gone, or is disconnected because it did not answer in time. A caller that leaves does not
   * end the plugin's turn: it is still at work, or hangs, and callers with little patience must not keep that hidden.
   */
  async ask<Request, Response>(method: Method<Request, Response>, request: Request, signal: AbortSignal): Promise<Response | undefined> {
    signal.throwIfAborted();
    return abortable(this.turn(() => (this.closed ? Promise.resolve(undefined) : this.#answer(method, request)), signal), signal);
  }

  async #answer<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response | undefined> {
    try {
      return await this.call(method, request);
    } catch (error) {
      if (!this.closed && !isKind(error, 'timeout')) throw this.#refusal(method.name, error);
      this.#parts.log.warn({ plugin: this.name, err: error }, `an NRI plugin did not answer ${method.name}; it is disconnected`);
      this.close();
      return undefined;
    }
  }

  /** As ask() for an event; false: the plugin is an old one that does not know the call. */
  async understands<Request, Response>(method: Method<Request, Response>, request: Request, signal: AbortSignal): Promise<boolean> {
    if (this.#isOld) return false;
    try {
      await this.ask(method, request, signal);
      return true;
    } catch (error) {
      if (!isKind(error, 'unimplemented')) throw error;
      this.#isOld = true;
      return false;
    }
  }

  /** Asks at once. */
  call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return this.#client.call(method, request, { timeoutMs: this.#parts.settings.requestTimeoutMs });
  }

  /** Asks at once, as patiently as for its registration: a plugin that joins a busy node has much to look at. */
  callJoining<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return this.#client.call(method, request, { timeoutMs: this.#parts.settings.registrationTimeoutMs });
  }

  close(): void {
    this.#client.close();
    this.#mux.close();
  }

  async #configure(): Promise<void> {
    const { settings, methods } = this.#parts;
    const { events } = await this.call(methods.plugin.configure, {
      config: '',
      runtimeName: 'berth',
      runtimeVersion: settings.version,
      registrationTimeout: BigInt(settings.registrationTimeoutMs),
      requestTimeout: BigInt(settings.requestTimeoutMs),
      NRIVersion: nriVersion,
    });
    const wanted = subscription(events);
    if (wanted === undefined) throw new BerthError('invalid', `NRI plugin ${this.name} subscribes to events that do not exist (mask 0x${(events >>> 0).toString(16)})`);
    this.#events = wanted;
  }

  #routes(): TtrpcRoutes {
    const { runtime } = this.#parts.methods;
    return new TtrpcRoutes()
      .handle(runtime.registerPlugin, async ({ pluginName, pluginIdx }) => {
        try {
          this.#identify(pluginName, pluginIdx);
        } catch (error) {
          // The plugin is to hear why, and is disconnected at the rejection; a client that sees both at once may tell of the end alone.
          setTimeout(() => { this.#registered.reject(error); }, farewellMs);
          throw error;
        }
        this.#registered.resolve();
        return {};
      })
      .handle(runtime.updateContainers, async (wishes) => ({ failed: await this.#parts.change(wishes, this.name) }));
  }

  #identify(name: string, index: string): void {
    if (this.#base !== '') throw new BerthError('precondition', `NRI plugin ${this.name} is registered already`);
    if (!/^[\w.+-]+$/.test(name)) throw new BerthError('invalid', `"${name}" is no name for an NRI plugin`, { hint: 'use letters, digits and . + - _' });
    if (!/^\d\d$/.test(index)) throw new BerthError('invalid', `"${index}" is no index for NRI plugin ${name}`, { hint: 'use two digits' });
    this.#base = name;
    this.#index = index;
  }

  #refusal(what: string, error: unknown): BerthError {
    const text = messageOf(error);
    return new BerthError(error instanceof BerthError && error.kind !== 'internal' ? error.kind : 'precondition', `NRI plugin ${this.name} failed ${what}: ${text}`, { cause: error });
  }
}
