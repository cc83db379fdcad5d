import { batches } from '../batches.ts';
import { decodePodFilter } from '../codec/filters.ts';
import { encodePod } from '../codec/pod.ts';
import type { CriContract } from '../contract.ts';
import type { Door, Streaming } from '../handler.ts';
import type { ListPodSandboxRequest, PodSandbox, StreamPodSandboxesResponse } from '../messages/sandbox.ts';

export const streamPodSandboxes = ({ engine }: Door, contract: CriContract): Streaming<ListPodSandboxRequest, StreamPodSandboxesResponse> => {
  const codec = contract.codec<PodSandbox>('PodSandbox');
  return function* stream({ filter }) {
    const pods = engine.pods.list(decodePodFilter(filter)).map(encodePod);
    for (const podSandboxes of batches(pods, (pod) => codec.encode(pod).length)) yield { podSandboxes };
  };
};
