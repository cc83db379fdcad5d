import type { CriContract } from './contract.ts';
import type { Door, Routes } from './handler.ts';
import { imageFsInfo } from './rpc/image-fs-info.ts';
import { imageStatus } from './rpc/image-status.ts';
import { listImages } from './rpc/list-images.ts';
import { pullImage } from './rpc/pull-image.ts';
import { removeImage } from './rpc/remove-image.ts';
import { streamImages } from './rpc/stream-images.ts';

/** Every RPC of ImageService. */
export function imageRoutes(door: Door, contract: CriContract): Routes {
  return {
    unary: {
      ListImages: listImages(door),
      ImageStatus: imageStatus(door),
      PullImage: pullImage(door),
      RemoveImage: removeImage(door),
      ImageFsInfo: imageFsInfo(door),
    },
    streaming: { StreamImages: streamImages(door, contract) },
  };
}
