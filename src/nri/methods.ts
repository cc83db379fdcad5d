import { ProtoFiles, protoDirectory, type Codec } from '../lib/proto.ts';
import { method, type Method } from '../lib/ttrpc/method.ts';
import type { AdjustmentMessage, ContainerMessage, EvictionMessage, OwnersMessage, PodMessage, ResourcesMessage, UpdateMessage } from './messages.ts';

type Empty = Readonly<Record<string, never>>;

export interface OnPod {
  readonly pod: PodMessage;
}

export interface OnContainer extends OnPod {
  readonly container: ContainerMessage;
}

export interface CreateAnswer {
  readonly adjust: AdjustmentMessage | null;
  readonly update: readonly UpdateMessage[];
  readonly evict: readonly EvictionMessage[];
}

export interface UpdateAnswer {
  readonly update: readonly UpdateMessage[];
  readonly evict: readonly EvictionMessage[];
}

export interface ValidateRequest extends OnContainer {
  readonly adjust: AdjustmentMessage;
  readonly update: readonly UpdateMessage[];
  readonly owners: OwnersMessage;
  readonly plugins: readonly { readonly name: string; readonly index: string }[];
}

/** Events that a plugin only hears of, and their calls. */
type Told<Name extends string, Request> = Readonly<Record<Name, Method<Request, Empty>>>;

/** The service that a plugin serves. */
export interface PluginMethods {
  readonly configure: Method<
    { readonly config: string; readonly runtimeName: string; readonly runtimeVersion: string; readonly registrationTimeout: bigint; readonly requestTimeout: bigint; readonly NRIVersion: string },
    { readonly events: number }
  >;
  readonly synchronize: Method<
    { readonly pods: readonly PodMessage[]; readonly containers: readonly ContainerMessage[]; readonly more: boolean },
    { readonly update: readonly UpdateMessage[]; readonly more: boolean }
  >;
  readonly shutdown: Method<Empty, Empty>;
  readonly pod: Told<'run' | 'stop' | 'remove' | 'post-update', OnPod>;
  readonly updatePod: Method<OnPod & { readonly overheadLinuxResources: ResourcesMessage | null; readonly linuxResources: ResourcesMessage | null }, Empty>;
  readonly container: Told<'post-create' | 'start' | 'post-start' | 'post-update' | 'remove', OnContainer>;
  readonly createContainer: Method<OnContainer, CreateAnswer>;
  readonly updateContainer: Method<OnContainer & { readonly linuxResources: ResourcesMessage }, UpdateAnswer>;
  readonly stopContainer: Method<OnContainer, { readonly update: readonly UpdateMessage[] }>;
  readonly stateChange: Method<OnPod & { readonly event: number; readonly container: ContainerMessage | null }, Empty>;
  readonly validate: Method<ValidateRequest, { readonly reject: boolean; readonly reason: string }>;
}

/** The service that is served to a plugin. */
export interface RuntimeMethods {
  readonly registerPlugin: Method<{ readonly pluginName: string; readonly pluginIdx: string; readonly NRIVersion: string }, Empty>;
  readonly updateContainers: Method<{ readonly update: readonly UpdateMessage[]; readonly evict: readonly EvictionMessage[] }, { readonly failed: readonly UpdateMessage[] }>;
}

export interface NriMethods {
  readonly plugin: PluginMethods;
  readonly runtime: RuntimeMethods;
  readonly podCodec: Codec<PodMessage>;
  readonly containerCodec: Codec<ContainerMessage>;
}

const packageName = 'nri.pkg.api.v1alpha1';

/** Reads the contract. */
export function nriMethods(): NriMethods {
  const files = new ProtoFiles(protoDirectory, ['nri/api.proto']);
  const plugin = <Request extends object, Response extends object>(name: string): Method<Request, Response> => method(files, `${packageName}.Plugin`, name);
  const runtime = <Request extends object, Response extends object>(name: string): Method<Request, Response> => method(files, `${packageName}.Runtime`, name);
  return {
    plugin: {
      configure: plugin('Configure'),
      synchronize: plugin('Synchronize'),
      shutdown: plugin('Shutdown'),
      pod: { run: plugin('RunPodSandbox'), stop: plugin('StopPodSandbox'), remove: plugin('RemovePodSandbox'), 'post-update': plugin('PostUpdatePodSandbox') },
      updatePod: plugin('UpdatePodSandbox'),
      container: {
        'post-create': plugin('PostCreateContainer'),
        start: plugin('StartContainer'),
        'post-start': plugin('PostStartContainer'),
        'post-update': plugin('PostUpdateContainer'),
        remove: plugin('RemoveContainer'),
      },
      createContainer: plugin('CreateContainer'),
      updateContainer: plugin('UpdateContainer'),
      stopContainer: plugin('StopContainer'),
      stateChange: plugin('StateChange'),
      validate: plugin('ValidateContainerAdjustment'),
    },
    runtime: { registerPlugin: runtime('RegisterPlugin'), updateContainers: runtime('UpdateContainers') },
    podCodec: files.codec(`${packageName}.PodSandbox`),
    containerCodec: files.codec(`${packageName}.Container`),
  };
}
