/** How bytes are packed that berth can unpack; `none` also stands for what it does not know. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** Told by the first bytes, as names and media types lie. A zstd file may begin with a frame that decoders pass over. */
export function compressionOf(start: Uint8Array): Compression {
  const [first = 0, ...rest] = start.subarray(0, 4);
  if (first === 0x1f && rest[0] === 0x8b) return 'gzip';
  const isFrame = first === 0x28 && rest.join() === '181,47,253';
  const isSkippable = (first & 0xf0) === 0x50 && rest.join() === '42,77,24';
  return isFrame || isSkippable ? 'zstd' : 'none';
}
