import { encodeContainer } from '../codec/container.ts';
import { decodeContainerFilter } from '../codec/filters.ts';
import type { Door, Unary } from '../handler.ts';
import type { ListContainersRequest, ListContainersResponse } from '../messages/container.ts';

export const listContainers =
  ({ engine }: Door): Unary<ListContainersRequest, ListContainersResponse> =>
  ({ filter }) => ({ containers: engine.containers.list(decodeContainerFilter(filter)).map(encodeContainer) });
