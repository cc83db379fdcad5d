import { nonEmpty, required } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { RemoveImageRequest } from '../messages/image.ts';

export const removeImage =
  ({ engine }: Door): Unary<RemoveImageRequest, Empty> =>
  async ({ image }) => {
    await engine.images.remove(nonEmpty(required(image, 'image').image, 'image.image'));
    return {};
  };
