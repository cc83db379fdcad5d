import type { ImageService } from '../images/port.ts';
import type { ImageIdOf } from './codec/container-config.ts';
import { encodeImage } from './codec/image.ts';
import type { Image, ListImagesRequest } from './messages/image.ts';

/** All images, or the one that the filter names. */
export function findImages(images: ImageService, filter: ListImagesRequest['filter']): readonly Image[] {
  const wanted = filter?.image?.image ?? '';
  if (wanted === '') return images.list().map(encodeImage);
  const image = images.find(wanted);
  return image === undefined ? [] : [encodeImage(image)];
}

/** Looks ids up among the images that are here now. */
export function imageIdIn(images: ImageService): ImageIdOf {
  return (reference) => images.find(reference)?.id ?? '';
}
