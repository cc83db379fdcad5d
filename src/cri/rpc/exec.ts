import { BerthError } from '../../lib/errors.ts';
import { decodeStreams } from '../codec/streams.ts';
import type { Door, Unary } from '../handler.ts';
import type { ExecRequest, UrlResponse } from '../messages/container.ts';
import { runningContainer } from '../running-container.ts';

export const exec =
  (door: Door): Unary<ExecRequest, UrlResponse> =>
  (request) => {
    if (request.cmd.length === 0) throw new BerthError('invalid', 'cmd is empty');
    const streams = decodeStreams(request);
    const { id } = runningContainer(door, request.containerId);
    return { url: door.streaming.exec({ containerId: id, command: request.cmd, streams }) };
  };
