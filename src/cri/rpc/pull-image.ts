import { BerthError } from '../../lib/errors.ts';
import { decodeAuth } from '../codec/auth.ts';
import { nonEmpty, required } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { PullImageRequest, PullImageResponse } from '../messages/image.ts';

export const pullImage =
  ({ engine, config }: Door): Unary<PullImageRequest, PullImageResponse> =>
  async (request, signal) => {
    const { image: reference, runtimeHandler } = required(request.image, 'image');
    if (runtimeHandler !== '' && !(runtimeHandler in config.runtimes)) throw new BerthError('invalid', `the runtime handler "${runtimeHandler}" is not configured`);
    const image = await engine.images.pull({ reference: nonEmpty(reference, 'image.image'), auth: decodeAuth(request.auth) }, signal);
    return { imageRef: image.id };
  };
