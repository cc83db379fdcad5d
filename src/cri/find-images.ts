import { bareRepository } from '../oci/reference.ts';
import type { Image as StoredImage, ImageService } from '../images/port.ts';
import type { ImageIdOf } from './codec/container-config.ts';
import { encodeImage } from './codec/image.ts';
import type { Door } from './handler.ts';
import type { Image, ListImagesRequest } from './messages/image.ts';

/** All images. With a filter: the one that it names, and for a name without tag and digest all of that repository. */
export function findImages({ engine: { images }, config }: Door, filter: ListImagesRequest['filter']): readonly Image[] {
  const wanted = filter?.image?.image ?? '';
  if (wanted === '') return images.list().map(encodeImage);
  const named = images.find(wanted)?.id;
  const repository = bareRepository(wanted, config.images.defaultRegistry);
  return images
    .list()
    .filter((image) => image.id === named || (repository !== undefined && isOf(image, repository)))
    .map(encodeImage);
}

function isOf({ repoTags, repoDigests }: StoredImage, repository: string): boolean {
  return repoTags.some((tag) => tag.slice(0, tag.lastIndexOf(':')) === repository) || repoDigests.some((digest) => digest.startsWith(`${repository}@`));
}

/** Looks ids up among the images that are here now. */
export function imageIdIn(images: ImageService): ImageIdOf {
  return (reference) => images.find(reference)?.id ?? '';
}
