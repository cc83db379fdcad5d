import { decodePodFilter } from '../codec/filters.ts';
import { encodePod } from '../codec/pod.ts';
import type { Door, Unary } from '../handler.ts';
import type { ListPodSandboxRequest, ListPodSandboxResponse } from '../messages/sandbox.ts';

export const listPodSandbox =
  ({ engine }: Door): Unary<ListPodSandboxRequest, ListPodSandboxResponse> =>
  ({ filter }) => ({ items: engine.pods.list(decodePodFilter(filter)).map(encodePod) });
