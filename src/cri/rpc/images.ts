import { systemClock } from '../../lib/clock.ts';
import { BerthError } from '../../lib/errors.ts';
import { batches } from '../batches.ts';
import { decodeAuth } from '../codec/auth.ts';
import { encodeImage } from '../codec/image.ts';
import { nonEmpty, required } from '../codec/pick.ts';
import { findImages } from '../find-images.ts';
import type { Caller, Door, Routes } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type * as wire from '../messages/image.ts';
import { imageInfo } from '../verbose/image-info.ts';

export const imageRoutes = {
  async PullImage({ engine, config }: Door, request: wire.PullImageRequest, { signal }: Caller): Promise<wire.PullImageResponse> {
    const { image: reference, runtimeHandler } = required(request.image, 'image');
    const runtime = Object.hasOwn(config.runtimes, runtimeHandler) ? config.runtimes[runtimeHandler] : undefined;
    if (runtimeHandler !== '' && runtime === undefined) throw new BerthError('invalid', `the runtime handler "${runtimeHandler}" is not configured`);
    const pull = { reference: nonEmpty(reference, 'image.image'), auth: decodeAuth(request.auth), ...(runtime !== undefined && { snapshotter: runtime.snapshotter }) };
    const image = await engine.images.pull(pull, signal);
    return { imageRef: image.id };
  },

  /** An unknown image is an answer without an image, not an error. */
  async ImageStatus({ engine }: Door, { image: spec, verbose }: wire.ImageStatusRequest): Promise<wire.ImageStatusResponse> {
    const image = engine.images.find(nonEmpty(required(spec, 'image').image, 'image.image'));
    if (image === undefined) return { image: null, info: {} };
    return { image: encodeImage(image), info: verbose ? imageInfo(image, await engine.images.configDocument(image.id)) : {} };
  },

  ListImages(door: Door, { filter }: wire.ListImagesRequest): wire.ListImagesResponse {
    return { images: findImages(door, filter) };
  },

  *StreamImages(door: Door, { filter }: wire.ListImagesRequest): Iterable<wire.ListImagesResponse> {
    for (const images of batches(findImages(door, filter), door.contract.sizeOf('Image'))) yield { images };
  },

  async RemoveImage({ engine }: Door, { image }: wire.RemoveImageRequest): Promise<Empty> {
    await engine.images.remove(nonEmpty(required(image, 'image').image, 'image.image'));
    return {};
  },

  /** Images and containers' writable layers share the filesystem of the state root, so both lists show it. */
  async ImageFsInfo({ engine }: Door, _request: Empty, { signal }: Caller): Promise<wire.ImageFsInfoResponse> {
    const { bytes, inodes, mountpoint } = await engine.images.usage(signal);
    const usage = { timestamp: systemClock.nowNs(), fsId: { mountpoint }, usedBytes: { value: BigInt(bytes) }, inodesUsed: { value: BigInt(inodes) } };
    return { imageFilesystems: [usage], containerFilesystems: [usage] };
  },
} satisfies Routes;
