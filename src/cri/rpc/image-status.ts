import { encodeImage } from '../codec/image.ts';
import { nonEmpty, required } from '../codec/pick.ts';
import type { Door, Unary } from '../handler.ts';
import type { ImageStatusRequest, ImageStatusResponse } from '../messages/image.ts';
import { imageInfo } from '../verbose/image-info.ts';

/** An unknown image is an answer without an image, not an error. */
export const imageStatus =
  ({ engine }: Door): Unary<ImageStatusRequest, ImageStatusResponse> =>
  async ({ image: spec, verbose }) => {
    const image = engine.images.find(nonEmpty(required(spec, 'image').image, 'image.image'));
    if (image === undefined) return { image: null, info: {} };
    return { image: encodeImage(image), info: verbose ? imageInfo(image, await engine.images.configDocument(image.id)) : {} };
  };
