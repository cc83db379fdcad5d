import type { Logger } from '../../telemetry/log.ts';
import type { SpdyStream } from '../spdy/stream.ts';
import { forwardPair, type Dial } from './pair.ts';

interface Half {
  readonly kind: 'data' | 'error';
  readonly port: number;
  readonly requestId: string;
}

export interface SpdyForwardOptions {
  readonly dial: Dial;
  readonly log: Logger;
  /** How long the other half of a pair may take. */
  readonly creationTimeoutMs: number;
}

const maxPort = 65_535;

/** What a stream is for; undefined where its headers do not say. */
function describe({ id, headers }: SpdyStream): Half | undefined {
  const kind = headers.get('streamtype');
  const port = Number(headers.get('port'));
  if ((kind !== 'data' && kind !== 'error') || !Number.isInteger(port) || port < 1 || port > maxPort) return undefined;
  // Very old clients number nothing, but open the error stream right before the data stream.
  return { kind, port, requestId: headers.get('requestid') ?? String(kind === 'error' ? id : id - 2) };
}

/** Joins the streams of a connection to pairs, and forwards each pair. */
export class SpdyForward {
  readonly #options: SpdyForwardOptions;
  readonly #waiting = new Map<string, { readonly half: Half; readonly stream: SpdyStream; readonly timer: NodeJS.Timeout }>();

  constructor(options: SpdyForwardOptions) {
    this.#options = options;
  }

  /** For the connection: takes a stream that is half of a pair. */
  readonly accept = (stream: SpdyStream, gone: AbortSignal): boolean => {
    const half = describe(stream);
    if (half === undefined) return false;
    const other = this.#waiting.get(half.requestId);
    if (other === undefined) {
      this.#wait(half, stream);
      return true;
    }
    if (other.half.kind === half.kind || other.half.port !== half.port) return false;
    this.#forget(half.requestId);
    const [data, error] = half.kind === 'data' ? [stream, other.stream] : [other.stream, stream];
    void forwardPair({ port: half.port, data, error }, this.#options.dial, gone, this.#options.log);
    return true;
  };

  #wait(half: Half, stream: SpdyStream): void {
    const timer = setTimeout(() => stream.destroy(), this.#options.creationTimeoutMs);
    this.#waiting.set(half.requestId, { half, stream, timer });
    stream.once('close', () => {
      if (this.#waiting.get(half.requestId)?.stream === stream) this.#forget(half.requestId);
    });
  }

  #forget(requestId: string): void {
    clearTimeout(this.#waiting.get(requestId)?.timer);
    this.#waiting.delete(requestId);
  }
}
