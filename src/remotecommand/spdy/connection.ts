import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Logger } from '../../telemetry/log.ts';
import { LinkWatch } from '../link-watch.ts';
import { FrameDecoder, type ControlFrame, type DataPiece, type Frame } from './frame-decoder.ts';
import { dataHeader, finFlag, frameType, goAway, goAwayStatus, maxDataBytes, ping, resetStatus, rstStream, synReply } from './frames.ts';
import { HeaderReader, HeaderWriter } from './headers.ts';
import { SpdyError } from './spdy-error.ts';
import { SpdyStream, type StreamLink } from './stream.ts';

type Done = (error?: Error | null) => void;

export interface SpdyOptions {
  readonly log: Logger;
  readonly idleTimeoutMs: number;
  /** Takes a stream that the peer opened, or refuses it by returning false. `gone` is that of the connection. */
  readonly accept: (stream: SpdyStream, gone: AbortSignal) => boolean;
}

/** A peer with more streams open at once is up to no good: their buffers are memory. */
const maxStreams = 512;
/** A peer that does not read what its control frames are answered with is not read from either: answers are memory, too. */
const maxUnsentAnswerBytes = 64 << 10;
/** How long a peer that broke the protocol may take to read that it did. */
const failureLingerMs = 1000;
/** What a SYN_STREAM holds before its headers: two ids, a priority and a slot. */
const synStreamFixedBytes = 10;

/**
 * The server's side of a SPDY/3.1 connection over a byte stream. Window sizes are neither kept nor sent, since the only
 * peers that are left (Go's spdystream) know none; instead, while a stream is full, nothing is read from the connection.
 */
export class SpdyConnection implements StreamLink {
  readonly #socket: Duplex;
  readonly #options: SpdyOptions;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #decoder = new FrameDecoder();
  readonly #headerReader = new HeaderReader();
  readonly #headerWriter = new HeaderWriter();
  readonly #gone = new AbortController();
  readonly #watch: LinkWatch;
  #lastStreamId = 0;
  #lastPingId = 0;
  #finishing = false;
  #unsentAnswerBytes = 0;
  #answersSent: (() => void) | undefined;

  constructor(socket: Duplex, options: SpdyOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#watch = new LinkWatch(
      {
        probe: () => {
          this.#lastPingId = (this.#lastPingId + 2) % 2 ** 31;
          this.#write([ping(Math.max(this.#lastPingId, 2))]);
        },
        idle: () => socket.destroy(),
      },
      options.idleTimeoutMs,
    );
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#close();
    });
    void this.#read();
  }

  /** Aborts when the connection is over, whoever ended it. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /**
   * Ends it when what the streams wrote is sent, and resolves when the peer has hung up. One that does not is idle: a slow
   * one still reads what the kernel has for it.
   */
  async finish(): Promise<void> {
    this.#finishing = true;
    if (this.#socket.destroyed) return;
    // Nobody reads them any more, and a full one would keep the peer's farewell from being read.
    this.#dropStreams();
    this.#socket.end(goAway(this.#lastStreamId, goAwayStatus.ok));
    this.#watch.leave();
    await this.#closed();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  send(streamId: number, bytes: Buffer, fin: boolean, done: Done): void {
    if (bytes.length > maxDataBytes) {
      this.send(streamId, bytes.subarray(0, maxDataBytes), false, () => undefined);
      this.send(streamId, bytes.subarray(maxDataBytes), fin, done);
      return;
    }
    this.#watch.used();
    const header = dataHeader(streamId, bytes.length, fin);
    // An empty part would be an empty message where the connection is a WebSocket's.
    this.#write(bytes.length === 0 ? [header] : [header, bytes], done);
  }

  forget(streamId: number, reset: boolean): void {
    if (this.#streams.delete(streamId) && reset) this.#answer(rstStream(streamId, resetStatus.cancel));
  }

  async #closed(): Promise<void> {
    if (this.#gone.signal.aborted) return;
    await once(this.#gone.signal, 'abort');
  }

  #close(): void {
    this.#watch.stop();
    this.#gone.abort();
    this.#dropStreams();
  }

  #dropStreams(): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.cancel();
  }

  #write(parts: readonly Buffer[], done?: Done): void {
    if (!this.#socket.writable) {
      done?.(new Error('the connection is closed'));
      return;
    }
    this.#socket.cork();
    for (const part of parts.slice(0, -1)) this.#socket.write(part);
    this.#socket.write(parts.at(-1) ?? Buffer.alloc(0), done);
    this.#socket.uncork();
  }

  #answer(frame: Buffer): void {
    this.#unsentAnswerBytes += frame.length;
    this.#write([frame], () => {
      this.#unsentAnswerBytes -= frame.length;
      if (this.#unsentAnswerBytes <= maxUnsentAnswerBytes) this.#answersSent?.();
    });
  }

  async #read(): Promise<void> {
    try {
      // The iterator reads on only when the loop comes back, so a wait in here holds the peer back.
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false })) {
        for (const frame of this.#decoder.feed(chunk as Buffer)) {
          const wait = this.#take(frame);
          if (wait !== undefined) await wait;
        }
      }
      // The peer half-closed, which for SPDY is leaving: what it still wants it could not tell.
      if (this.#finishing) return;
      this.#socket.destroy();
    } catch (err) {
      // A peer that has been told everything may leave as it likes.
      if (!this.#finishing) this.#options.log.debug({ err }, 'a SPDY connection broke');
      this.#fail(err instanceof SpdyError);
    }
  }

  #fail(tell: boolean): void {
    if (!tell || !this.#socket.writable) {
      this.#socket.destroy();
      return;
    }
    this.#socket.end(goAway(this.#lastStreamId, goAwayStatus.protocolError), () => this.#socket.destroy());
    setTimeout(() => this.#socket.destroy(), failureLingerMs).unref();
  }

  #take(frame: Frame): Promise<void> | undefined {
    if (frame.kind === 'data') return this.#takeData(frame);
    this.#takeControl(frame);
    if (this.#unsentAnswerBytes <= maxUnsentAnswerBytes) return undefined;
    return new Promise((resolve) => {
      this.#answersSent = resolve;
    });
  }

  #takeData({ streamId, bytes, fin }: DataPiece): Promise<void> | undefined {
    if (streamId === 0 || streamId > this.#lastStreamId) throw new SpdyError(`there is no stream ${streamId}`);
    // What comes after our farewell is of no use any more.
    if (!this.#finishing) this.#watch.used();
    // One that is unknown by now was reset or has ended here while the peer was still sending.
    return this.#streams.get(streamId)?.receive(bytes, fin);
  }

  #takeControl({ type, flags, payload }: ControlFrame): void {
    if (type === frameType.synStream) this.#open(flags, payload);
    else if (type === frameType.rstStream) this.#reset(readId(payload, 8));
    else if (type === frameType.ping) this.#answerPing(readId(payload, 4));
    else if (type === frameType.headers) this.#takeHeaders(flags, payload);
    else if (type === frameType.goAway) this.#takeGoAway();
    // A server opens no streams, so a reply answers nothing; windows and settings are not kept. Unknown types are to be ignored.
    else if (type === frameType.synReply) throw new SpdyError('a reply came to a stream that was never opened');
  }

  #open(flags: number, payload: Buffer): void {
    const id = readId(payload, synStreamFixedBytes);
    if (id % 2 === 0 || id <= this.#lastStreamId) throw new SpdyError(`stream ${id} cannot be opened after ${this.#lastStreamId}`);
    this.#lastStreamId = id;
    // Also of a stream that is refused: the next block builds on this one.
    const headers = this.#headerReader.read(payload.subarray(synStreamFixedBytes));
    if (this.#finishing || this.#streams.size >= maxStreams) {
      this.#answer(rstStream(id, resetStatus.refusedStream));
      return;
    }
    const stream = new SpdyStream(id, headers, this);
    this.#streams.set(id, stream);
    // The reply goes first: a peer drops what comes on a stream before it.
    this.#answer(synReply(id, this.#headerWriter.write(new Map())));
    if ((flags & finFlag) !== 0) void stream.receive(Buffer.alloc(0), true);
    if (!this.#options.accept(stream, this.gone)) stream.destroy();
  }

  #reset(id: number): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.cancel();
  }

  /** The peer's own pings come back; answers to ours say nothing but that it lives. */
  #answerPing(id: number): void {
    if (id % 2 === 1) this.#answer(ping(id));
  }

  #takeHeaders(flags: number, payload: Buffer): void {
    const id = readId(payload, 4);
    this.#headerReader.read(payload.subarray(4));
    if ((flags & finFlag) !== 0) void this.#streams.get(id)?.receive(Buffer.alloc(0), true);
  }

  /** No stream will come any more; those that are open may end in peace. */
  #takeGoAway(): void {
    if (this.#streams.size === 0) this.#socket.destroy();
  }
}

/** The stream or ping id that a control frame begins with; `bytes` is what must be there at least. */
function readId(payload: Buffer, bytes: number): number {
  if (payload.length < bytes) throw new SpdyError('a control frame is too short');
  const id = payload.readUInt32BE(0) % 2 ** 31;
  if (id === 0) throw new SpdyError('a control frame is about no stream');
  return id;
}
