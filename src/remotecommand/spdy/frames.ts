/** Numbers of control frames. */
export const frameType = { synStream: 1, synReply: 2, rstStream: 3, settings: 4, ping: 6, goAway: 7, headers: 8, windowUpdate: 9 } as const;

/** Why a stream is reset. */
export const resetStatus = { protocolError: 1, refusedStream: 3, cancel: 5 } as const;

/** Why a connection ends. */
export const goAwayStatus = { ok: 0, protocolError: 1 } as const;

/** The flag of a stream's last frame in one direction. */
export const finFlag = 1;

/** The longest data frame that is sent; their length has 24 bits, but peers make room for a whole frame. */
export const maxDataBytes = 1 << 20;

function words(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, 4 * index);
  return bytes;
}

/** The eight bytes before a data frame's payload. */
export function dataHeader(streamId: number, length: number, fin: boolean): Buffer {
  return words(streamId, (fin ? finFlag * 2 ** 24 : 0) + length);
}

/** A whole control frame. */
export function controlFrame(type: number, payload: Buffer): Buffer {
  return Buffer.concat([words(0x80_03_00_00 + type, payload.length), payload]);
}

export const synReply = (streamId: number, headerBlock: Buffer): Buffer => controlFrame(frameType.synReply, Buffer.concat([words(streamId), headerBlock]));

export const rstStream = (streamId: number, status: number): Buffer => controlFrame(frameType.rstStream, words(streamId, status));

export const ping = (id: number): Buffer => controlFrame(frameType.ping, words(id));

export const goAway = (lastStreamId: number, status: number): Buffer => controlFrame(frameType.goAway, words(lastStreamId, status));
