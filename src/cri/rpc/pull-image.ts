import { BerthError } from '../../lib/errors.ts';
import { decodeAuth } from '../codec/auth.ts';
import { nonEmpty, required } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { PullImageRequest, PullImageResponse } from '../messages/image.ts';

export const pullImage =
  ({ engine, config }: Door): Unary<PullImageRequest, PullImageResponse> =>
  async (request, signal) => {
    const { image: reference, runtimeHandler } = required(request.image, 'image');
    const runtime = Object.hasOwn(config.runtimes, runtimeHandler) ? config.runtimes[runtimeHandler] : undefined;
    if (runtimeHandler !== '' && runtime === undefined) throw new BerthError('invalid', `the runtime handler "${runtimeHandler}" is not configured`);
    const pull = { reference: nonEmpty(reference, 'image.image'), auth: decodeAuth(request.auth), ...(runtime !== undefined && { snapshotter: runtime.snapshotter }) };
    const image = await engine.images.pull(pull, signal);
    return { imageRef: image.id };
  };
