import { encodeEvent } from '../codec/event.ts';
import { imageIdIn } from '../find-images.ts';
import type { Door, Streaming } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { ContainerEventResponse } from '../messages/sandbox.ts';

/** Runs until the client leaves or berthd shuts down. */
export const getContainerEvents = ({ engine }: Door, closing: AbortSignal): Streaming<Empty, ContainerEventResponse> =>
  async function* events(_request, signal) {
    for await (const event of engine.events(AbortSignal.any([signal, closing]))) yield encodeEvent(event, imageIdIn(engine.images));
  };
