import { decodeStreams } from '../codec/streams.ts';
import type { Door, Unary } from '../handler.ts';
import type { StreamsRequest, UrlResponse } from '../messages/container.ts';
import { runningContainer } from '../running-container.ts';

export const attach =
  (door: Door): Unary<StreamsRequest, UrlResponse> =>
  (request) => {
    const streams = decodeStreams(request);
    const { id } = runningContainer(door, request.containerId);
    return { url: door.streaming.attach({ containerId: id, streams }) };
  };
