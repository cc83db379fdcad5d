import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { FrameDecoder, type Frame } from '../spdy/frame-decoder.ts';
import { controlFrame, dataHeader, frameType } from '../spdy/frames.ts';
import { HeaderWriter } from '../spdy/headers.ts';

/** A SYN_STREAM, SYN_REPLY and so on as the tests look at them. */
export interface Seen {
  readonly type: number;
  readonly id: number;
}

const words = (...numbers: readonly number[]): Buffer => Buffer.concat(numbers.map((number) => Buffer.from([number >>> 24, number >>> 16, number >>> 8, number])));

/** The client's side of SPDY, as little as tests need. */
export class SpdyClient {
  readonly socket: Socket;
  readonly #headers = new HeaderWriter();
  readonly #decoder = new FrameDecoder();
  readonly #data = new Map<number, Buffer[]>();
  readonly #ended = new Set<number>();
  readonly control: Seen[] = [];
  readonly answer: string;
  #nextId = 1;

  private constructor(socket: Socket, answer: string, rest: Buffer) {
    this.socket = socket;
    this.answer = answer;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => { this.#take(chunk); });
    this.#take(rest);
  }

  /** Asks for an upgrade at a URL and resolves with whatever the server answered. */
  static async open(url: string, headers: Readonly<Record<string, string>> = { 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' }): Promise<SpdyClient> {
    const { hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const lines = Object.entries({ Host: hostname, Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'Content-Length': '0', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
    let received = Buffer.alloc(0);
    for (;;) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf('\r\n\r\n');
      if (end >= 0) return new SpdyClient(socket, received.toString('latin1', 0, end), received.subarray(end + 4));
    }
  }

  #take(chunk: Buffer): void {
    if (!this.answer.includes(' 101 ')) return;
    for (const frame of this.#decoder.feed(chunk)) this.#note(frame);
  }

  #note(frame: Frame): void {
    if (frame.kind === 'control') this.control.push({ type: frame.type, id: frame.payload.readUInt32BE(0) });
    else {
      this.#data.set(frame.streamId, [...(this.#data.get(frame.streamId) ?? []), frame.bytes]);
      if (frame.fin) this.#ended.add(frame.streamId);
    }
  }

  /** Opens a stream and returns its id. */
  stream(headers: Readonly<Record<string, string>>, id = this.#nextId): number {
    this.#nextId = id + 2;
    this.socket.write(controlFrame(frameType.synStream, Buffer.concat([words(id, 0), Buffer.alloc(2), this.#headers.write(new Map(Object.entries(headers)))])));
    return id;
  }

  send(id: number, text: string | Buffer, fin = false): void {
    const bytes = Buffer.from(text);
    this.socket.write(Buffer.concat([dataHeader(id, bytes.length, fin), bytes]));
  }

  ping(id: number): void {
    this.socket.write(controlFrame(frameType.ping, words(id)));
  }

  received(id: number): string {
    return Buffer.concat(this.#data.get(id) ?? []).toString();
  }

  /** Whether the server has half-closed the stream. */
  ended(id: number): boolean {
    return this.#ended.has(id);
  }
}
