import type { Duplex } from 'node:stream';
import type { StreamChoice } from '../../engine/model/session.ts';
import { BerthError } from '../../lib/errors.ts';
import type { SpdyConnection } from '../spdy/connection.ts';
import type { SpdyStream } from '../spdy/stream.ts';
import { endAll, type ClientStreams } from './client-streams.ts';
import type { CommandProtocol } from './protocols.ts';
import { encodeStatus } from './status.ts';

const streamTypes = ['error', 'stdin', 'stdout', 'stderr', 'resize'] as const;
type StreamType = (typeof streamTypes)[number];

/** Collects the streams of one command, which the client opens one after another. */
export class SpdyStreams {
  readonly #opened = new Map<StreamType, SpdyStream>();
  readonly #expected: ReadonlySet<StreamType>;
  readonly #complete = Promise.withResolvers<void>();
  readonly #protocol: CommandProtocol;

  constructor(choice: StreamChoice, protocol: CommandProtocol) {
    this.#protocol = protocol;
    const wanted: Readonly<Record<StreamType, boolean>> = { error: true, stdin: choice.stdin, stdout: choice.stdout, stderr: choice.stderr, resize: choice.tty && protocol.resizes };
    this.#expected = new Set(streamTypes.filter((type) => wanted[type]));
  }

  /** For the connection: takes a stream if it is one of those that belong to the command. */
  readonly accept = (stream: SpdyStream): boolean => {
    const name = stream.headers.get('streamtype');
    const type = streamTypes.find((each) => each === name);
    if (type === undefined || !this.#expected.has(type) || this.#opened.has(type)) return false;
    this.#opened.set(type, stream);
    if (this.#opened.size === this.#expected.size) this.#complete.resolve();
    return true;
  };

  /** The streams once all are there. Fails `timeout` when they are not in time. */
  async collect(connection: SpdyConnection, timeoutMs: number): Promise<ClientStreams> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => { late.reject(new BerthError('timeout', `the client has not opened its streams within ${timeoutMs / 1000} s`)); }, timeoutMs);
    const leave = (): void => { late.reject(new BerthError('canceled', 'the client left before it had opened its streams')); };
    connection.gone.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([this.#complete.promise, late.promise]);
    } finally {
      clearTimeout(timer);
      connection.gone.removeEventListener('abort', leave);
    }
    return this.#streams(connection);
  }

  #streams(connection: SpdyConnection): ClientStreams {
    const error = this.#opened.get('error');
    const [stdin, stdout, stderr, resize] = (['stdin', 'stdout', 'stderr', 'resize'] as const).map((type): Duplex | undefined => this.#opened.get(type));
    return {
      stdin,
      stdout,
      stderr,
      resize,
      gone: connection.gone,
      finish: async (status) => {
        await endAll([stdout, stderr]);
        const text = encodeStatus(status, this.#protocol.statusAsJson);
        if (text !== '') error?.write(text);
        await endAll([error, stdin, resize]);
        await connection.finish();
      },
      destroy: () => { connection.destroy(); },
    };
  }
}
