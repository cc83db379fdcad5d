import { constants, inflateRawSync } from 'node:zlib';
import { dictionary, dictionaryId, lengthPrefixed } from './dictionary.ts';
import { SpdyError } from './spdy-error.ts';

/** Headers of a stream by lower-case name. */
export type Headers = ReadonlyMap<string, string>;

/** The most that a header block may unfold to. Clients send about a hundred bytes. */
const maxBlockBytes = 16 << 10;
/** deflate looks back no further. */
const windowBytes = 32 << 10;
const zlibHeaderBytes = 6;

function parseBlock(block: Buffer): Headers {
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new SpdyError('a header block ends early');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > block.length) throw new SpdyError('a header block ends early');
    at += length;
    return block.toString('latin1', at - length, at);
  };
  const headers = new Map<string, string>();
  for (let left = number(); left > 0; left -= 1) headers.set(text().toLowerCase(), text());
  return headers;
}

/**
 * Reads the header blocks of one direction of a connection. They are one zlib stream that is flushed after each block, so
 * every block can be inflated by itself with what came before as its dictionary: at once, bounded, and with no zlib context
 * to keep.
 */
export class HeaderReader {
  #window = dictionary;
  #first = true;

  /** @throws SpdyError for what is no header block, or is one that unfolds to too much. */
  read(block: Buffer): Headers {
    const deflated = this.#first ? withoutZlibHeader(block) : block;
    this.#first = false;
    const plain = this.#inflate(deflated);
    this.#window = Buffer.concat([this.#window, plain]).subarray(-windowBytes);
    return parseBlock(plain);
  }

  #inflate(deflated: Buffer): Buffer {
    try {
      return inflateRawSync(deflated, { dictionary: this.#window, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: maxBlockBytes });
    } catch (cause) {
      throw new SpdyError('a header block cannot be inflated', { cause });
    }
  }
}

function withoutZlibHeader(block: Buffer): Buffer {
  const [method = 0, flags = 0] = block;
  const named = (flags & 0x20) !== 0 && dictionaryId.equals(block.subarray(2, zlibHeaderBytes));
  if ((method & 0x0f) !== 8 || ((method << 8) | flags) % 31 !== 0 || !named) throw new SpdyError('headers are not compressed with the dictionary of SPDY 3');
  return block.subarray(zlibHeaderBytes);
}

/** zlib's header for a 32 KiB window and a dictionary. */
const streamStart = Buffer.concat([Buffer.from([0x78, 0xf9]), dictionaryId]);
/** What a flush leaves behind, without which the reader waits for more. */
const flushMark = Buffer.from([0, 0, 0, 0xff, 0xff]);

/** Writes the header blocks of one direction. What a server has to say is so short that deflate's stored blocks will do. */
export class HeaderWriter {
  #first = true;

  write(headers: Headers): Buffer {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(headers.size);
    const plain = Buffer.concat([count, ...[...headers].flatMap(([name, value]) => [lengthPrefixed(name), lengthPrefixed(value)])]);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(plain.length, 1);
    stored.writeUInt16LE(0xff_ff - plain.length, 3);
    const start = this.#first ? [streamStart] : [];
    this.#first = false;
    return Buffer.concat([...start, stored, plain, flushMark]);
  }
}
