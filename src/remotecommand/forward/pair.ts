import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PodConnection } from '../../engine/model/session.ts';
import { BerthError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/log.ts';

/** The two streams of one forwarded connection. */
export interface ForwardPair {
  readonly port: number;
  readonly data: Duplex;
  readonly error: Duplex;
}

/** Connects to a port inside the pod. */
export type Dial = (port: number, signal: AbortSignal) => Promise<PodConnection>;

/** Copies both ways until both are done; why there is no connection is told on the error stream. Never rejects. */
export async function forwardPair({ port, data, error }: ForwardPair, dial: Dial, gone: AbortSignal, log: Logger): Promise<void> {
  error.resume();
  const left = AbortSignal.any([gone, closedSignal(data)]);
  try {
    const connection = await dial(port, left);
    await copyBothWays(data, connection);
    error.end();
  } catch (err) {
    if (gone.aborted) return;
    if (left.aborted) {
      // It asks for no reason, and one that is told of an error gives up all its ports.
      error.end();
      return;
    }
    log.info({ err, port }, 'a port was not forwarded');
    error.end(`error forwarding port ${port}: ${err instanceof BerthError ? err.text : 'berthd failed; its log has the cause'}`);
    data.destroy();
  }
}

function closedSignal(stream: Duplex): AbortSignal {
  const controller = new AbortController();
  stream.once('close', () => { controller.abort(new BerthError('canceled', 'the client gave the connection up')); });
  return controller.signal;
}

async function copyBothWays(client: Duplex, pod: PodConnection): Promise<void> {
  try {
    // Each direction ends by itself: a client may have sent all it has while the answer is still coming.
    await Promise.all([pipeline(client, pod), pipeline(pod, client)]);
  } catch {
    // One of the two broke it off, and the client's stream is reset by now. That says it all: a client that is told of an
    // error gives up all its ports.
  } finally {
    pod.destroy();
  }
}
