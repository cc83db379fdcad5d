import { SpdyError } from './spdy-error.ts';

/** A control frame, whole. */
export interface ControlFrame {
  readonly kind: 'control';
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** A piece of a data frame, as it arrives; `fin` with the last piece of a stream's last frame. */
export interface DataPiece {
  readonly kind: 'data';
  readonly streamId: number;
  readonly bytes: Buffer;
  readonly fin: boolean;
}

export type Frame = ControlFrame | DataPiece;

const headerBytes = 8;
/** Control frames hold a few ids or compressed headers: nobody has a reason for more. */
const maxControlBytes = 32 << 10;
const version = 3;

interface OpenFrame {
  /** Bytes of its payload that have not come yet. */
  missing: number;
  /** What a piece of its payload completes, if it does. */
  take(piece: Buffer): Frame | undefined;
}

function openControl(firstWord: number, flags: number, length: number): OpenFrame {
  if (((firstWord >>> 16) & 0x7f_ff) !== version) throw new SpdyError(`version ${(firstWord >>> 16) & 0x7f_ff} of SPDY is not spoken here`);
  if (length > maxControlBytes) throw new SpdyError(`a control frame of ${length} bytes is too long`);
  const pieces: Buffer[] = [];
  const open: OpenFrame = {
    missing: length,
    take: (piece) => {
      pieces.push(piece);
      return open.missing === 0 ? { kind: 'control', type: firstWord & 0xff_ff, flags, payload: Buffer.concat(pieces) } : undefined;
    },
  };
  return open;
}

function openData(streamId: number, last: boolean, length: number): OpenFrame {
  const open: OpenFrame = {
    missing: length,
    take: (bytes) => (bytes.length > 0 || open.missing === 0 ? { kind: 'data', streamId, bytes, fin: last && open.missing === 0 } : undefined),
  };
  return open;
}

/** Cuts a byte stream into frames. It keeps at most one control frame; data is handed on as it comes, without a copy. */
export class FrameDecoder {
  readonly #header = Buffer.alloc(headerBytes);
  #headerFill = 0;
  #open: OpenFrame | undefined;

  /** @throws SpdyError where the bytes are no frame. */
  *feed(chunk: Buffer): Generator<Frame, void> {
    for (let rest = chunk; ; ) {
      if (this.#open === undefined) rest = this.#readHeader(rest);
      const open = this.#open;
      if (open === undefined) return;
      const piece = rest.subarray(0, open.missing);
      rest = rest.subarray(piece.length);
      open.missing -= piece.length;
      const frame = open.take(piece);
      if (open.missing === 0) this.#open = undefined;
      if (frame !== undefined) yield frame;
      if (this.#open !== undefined) return;
    }
  }

  /** Takes what a header still lacks, opens its frame when it is complete, and returns the rest. */
  #readHeader(chunk: Buffer): Buffer {
    const taken = chunk.copy(this.#header, this.#headerFill);
    this.#headerFill += taken;
    if (this.#headerFill === headerBytes) {
      this.#headerFill = 0;
      const firstWord = this.#header.readUInt32BE(0);
      const flags = this.#header.readUInt8(4);
      const length = this.#header.readUIntBE(5, 3);
      this.#open = firstWord > 0x7f_ff_ff_ff ? openControl(firstWord, flags, length) : openData(firstWord, (flags & 1) !== 0, length);
    }
    return chunk.subarray(taken);
  }
}
