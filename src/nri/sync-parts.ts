import type { ContainerMessage, PodMessage } from './messages.ts';
import type { NriMethods } from './methods.ts';

/** Leaves room below the limit of a ttrpc message for what is around the objects. */
const maxBytes = 3 << 20;

export interface SyncPart {
  readonly pods: readonly PodMessage[];
  readonly containers: readonly ContainerMessage[];
  /** Another part follows. */
  readonly more: boolean;
}

/** What a plugin is told when it joins, in parts that fit into messages; at least one. */
export function syncParts(methods: NriMethods, pods: readonly PodMessage[], containers: readonly ContainerMessage[]): readonly SyncPart[] {
  const parts: { pods: PodMessage[]; containers: ContainerMessage[] }[] = [{ pods: [], containers: [] }];
  let room = maxBytes;
  const place = (bytes: number): { pods: PodMessage[]; containers: ContainerMessage[] } => {
    if (bytes > room && room < maxBytes) {
      parts.push({ pods: [], containers: [] });
      room = maxBytes;
    }
    room -= bytes;
    return parts.at(-1) ?? { pods: [], containers: [] };
  };
  for (const pod of pods) place(methods.podCodec.encode(pod).length).pods.push(pod);
  for (const container of containers) place(methods.containerCodec.encode(container).length).containers.push(container);
  return parts.map(({ pods: some, containers: others }, index) => ({ pods: some, containers: others, more: index < parts.length - 1 }));
}
