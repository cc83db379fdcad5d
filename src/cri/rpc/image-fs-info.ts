import { systemClock } from '../../lib/clock.ts';
import type { Door, Unary } from '../handler.ts';
import type { Empty } from '../messages/common.ts';
import type { ImageFsInfoResponse } from '../messages/image.ts';

/** Images and containers' writable layers share the filesystem of the state root, so both lists show it. */
export const imageFsInfo =
  ({ engine }: Door): Unary<Empty, ImageFsInfoResponse> =>
  async (_request, signal) => {
    const { bytes, inodes, mountpoint } = await engine.images.usage(signal);
    const usage = { timestamp: systemClock.nowNs(), fsId: { mountpoint }, usedBytes: { value: BigInt(bytes) }, inodesUsed: { value: BigInt(inodes) } };
    return { imageFilesystems: [usage], containerFilesystems: [usage] };
  };
