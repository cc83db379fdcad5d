import { batches } from '../batches.ts';
import { encodeContainer } from '../codec/container.ts';
import { decodeContainerFilter } from '../codec/filters.ts';
import type { CriContract } from '../contract.ts';
import type { Door, Streaming } from '../handler.ts';
import type { Container, ListContainersRequest, ListContainersResponse } from '../messages/container.ts';

export const streamContainers = ({ engine }: Door, contract: CriContract): Streaming<ListContainersRequest, ListContainersResponse> => {
  const codec = contract.codec<Container>('Container');
  return function* stream({ filter }) {
    const all = engine.containers.list(decodeContainerFilter(filter)).map(encodeContainer);
    for (const containers of batches(all, (container) => codec.encode(container).length)) yield { containers };
  };
};
