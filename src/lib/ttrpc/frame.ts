import { BerthError } from '../errors.ts';

/** Frames have a 10-byte header: u32 length, u32 stream id, u8 type, u8 flags, big endian. */
export const headerBytes = 10;

/** The largest payload that a peer accepts. */
export const maxPayloadBytes = 4 << 20;

export const frameType = { request: 1, response: 2, data: 3 } as const;

export interface Frame {
  readonly streamId: number;
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

/**
 * One buffer with a header in front of room for the payload, so that a frame is written by one call.
 * @throws BerthError `exhausted` when the payload is larger than the protocol allows.
 */
export function allocateFrame(type: number, streamId: number, payloadBytes: number): Buffer {
  if (payloadBytes > maxPayloadBytes) {
    throw new BerthError('exhausted', `a ttrpc message of ${payloadBytes} bytes is over the limit of ${maxPayloadBytes}`);
  }
  const frame = Buffer.allocUnsafe(headerBytes + payloadBytes);
  frame.writeUInt32BE(payloadBytes, 0);
  frame.writeUInt32BE(streamId, 4);
  frame[8] = type;
  frame[9] = 0;
  return frame;
}

/** Cuts a byte stream into frames. A frame that arrives in one chunk is not copied. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void;
  #rest: Buffer = Buffer.alloc(0);
  /** A frame whose size is known but that has not arrived whole, and how much of it has. */
  #partial: Buffer | undefined;
  #filled = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /** @throws BerthError `internal` on a frame over the limit: the stream cannot be followed any further. */
  push(chunk: Buffer): void {
    const taken = this.#fillPartial(chunk);
    let bytes = chunk.subarray(taken);
    if (this.#rest.length > 0) bytes = Buffer.concat([this.#rest, bytes]);
    this.#rest = this.#cut(bytes);
  }

  #fillPartial(chunk: Buffer): number {
    if (this.#partial === undefined) return 0;
    const copied = chunk.copy(this.#partial, this.#filled);
    this.#filled += copied;
    if (this.#filled === this.#partial.length) {
      const whole = this.#partial;
      this.#partial = undefined;
      this.#emit(whole);
    }
    return copied;
  }

  /** Emits every whole frame and returns the start of a header, if there is one. */
  #cut(bytes: Buffer): Buffer {
    let at = 0;
    while (bytes.length - at >= headerBytes) {
      const size = headerBytes + payloadSize(bytes, at);
      if (bytes.length - at < size) {
        this.#partial = Buffer.allocUnsafe(size);
        this.#filled = bytes.copy(this.#partial, 0, at);
        return bytes.subarray(bytes.length);
      }
      this.#emit(bytes.subarray(at, at + size));
      at += size;
    }
    return bytes.subarray(at);
  }

  #emit(frame: Buffer): void {
    this.#onFrame({
      streamId: frame.readUInt32BE(4),
      type: frame[8] ?? 0,
      flags: frame[9] ?? 0,
      payload: frame.subarray(headerBytes),
    });
  }
}

function payloadSize(bytes: Buffer, at: number): number {
  const size = bytes.readUInt32BE(at);
  if (size > maxPayloadBytes) throw new BerthError('internal', `the peer sent a ttrpc frame of ${size} bytes, over the limit of ${maxPayloadBytes}`);
  return size;
}
