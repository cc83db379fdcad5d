import { Duplex } from 'node:stream';
import { headerBytes as ttrpcHeaderBytes, maxPayloadBytes } from '../lib/ttrpc/frame.ts';

/** Frames have an 8-byte header: u32 connection id, u32 length, big endian. */
const headerBytes = 8;
const maxFrameBytes = ttrpcHeaderBytes + maxPayloadBytes;

/**
 * The peer reads through a buffer of so many bytes and fails on a frame that does not fit while it waits for the start of a
 * message; what follows in the same message may come in one frame, however large.
 */
const firstFrameBytes = 4096;

/** Connections within one socket, each with a number that both sides know. Ends as a whole. */
export class Mux {
  readonly #trunk: Duplex;
  readonly #connections = new Map<number, MuxConnection>();
  #rest: Buffer = Buffer.alloc(0);

  /** Opens `ids` at once: what comes for others is dropped. */
  constructor(trunk: Duplex, ids: readonly number[]) {
    this.#trunk = trunk;
    for (const id of ids) this.#connections.set(id, new MuxConnection((bytes, done) => { this.#send(id, bytes, done); }));
    trunk.on('data', (chunk: Buffer) => { this.#receive(chunk); });
    trunk.on('error', () => { this.close(); });
    trunk.on('close', () => { this.close(); });
  }

  /** One of the connections that the constructor opened. */
  connection(id: number): Duplex {
    const connection = this.#connections.get(id);
    if (connection === undefined) throw new Error(`connection ${id} is not open`);
    return connection;
  }

  close(): void {
    this.#trunk.destroy();
    for (const connection of this.#connections.values()) connection.destroy();
  }

  #send(id: number, bytes: Buffer, done: (error?: Error | null) => void): void {
    const frames: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at === 0 ? firstFrameBytes : at + maxFrameBytes);
      const header = Buffer.allocUnsafe(headerBytes);
      header.writeUInt32BE(id, 0);
      header.writeUInt32BE(part.length, 4);
      frames.push(header, part);
      at += part.length;
    }
    this.#trunk.write(Buffer.concat(frames), done);
  }

  #receive(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= headerBytes) {
      const size = bytes.readUInt32BE(4);
      if (size > maxFrameBytes) {
        // There is no way to find the next frame.
        this.close();
        return;
      }
      if (bytes.length < headerBytes + size) break;
      this.#connections.get(bytes.readUInt32BE(0))?.push(bytes.subarray(headerBytes, headerBytes + size));
      bytes = bytes.subarray(headerBytes + size);
    }
    this.#rest = bytes;
  }
}

class MuxConnection extends Duplex {
  readonly #send: (bytes: Buffer, done: (error?: Error | null) => void) => void;

  constructor(send: (bytes: Buffer, done: (error?: Error | null) => void) => void) {
    super();
    this.#send = send;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, done);
  }

  /** Bytes are pushed as they come; messages are small and their readers always listen. */
  override _read(): void {}
}
