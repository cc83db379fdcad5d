import { batches } from '../batches.ts';
import type { CriContract } from '../contract.ts';
import { findImages } from '../find-images.ts';
import type { Door, Streaming } from '../handler.ts';
import type { Image, ListImagesRequest, ListImagesResponse } from '../messages/image.ts';

export const streamImages = (door: Door, contract: CriContract): Streaming<ListImagesRequest, ListImagesResponse> => {
  const codec = contract.codec<Image>('Image');
  return function* stream({ filter }) {
    for (const images of batches(findImages(door, filter), (image) => codec.encode(image).length)) yield { images };
  };
};
