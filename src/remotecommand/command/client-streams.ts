import type { Duplex, Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { CommandStatus } from './status.ts';

/** The streams that a client opened for one command, whatever carries them. */
export interface ClientStreams {
  readonly stdin: Duplex | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** JSON documents of the terminal's size. */
  readonly resize: Readable | undefined;
  /** Aborts when the connection is over, whoever ended it. */
  readonly gone: AbortSignal;
  /** Sends how the command ended and ends the connection. Resolves when the client has everything or is gone. */
  finish(status: CommandStatus): Promise<void>;
  /** Cuts the connection. */
  destroy(): void;
}

/** Ends streams and waits until what was written to them is sent, or cannot be any more. */
export async function endAll(streams: readonly (Writable | undefined)[]): Promise<void> {
  const open = streams.filter((stream) => stream !== undefined);
  await Promise.all(
    open.map(async (stream) => {
      stream.end();
      // It fails when the client is gone, which ends all waiting here as well.
      await finished(stream, { readable: false }).catch(() => undefined);
    }),
  );
}
