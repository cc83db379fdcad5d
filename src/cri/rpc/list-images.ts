import type { Door, Unary } from '../handler.ts';
import type { ListImagesRequest, ListImagesResponse } from '../messages/image.ts';
import { findImages } from '../find-images.ts';

export const listImages =
  (door: Door): Unary<ListImagesRequest, ListImagesResponse> =>
  ({ filter }) => ({ images: findImages(door, filter) });
