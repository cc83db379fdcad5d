import type { EventEmitter } from 'node:events';
import type { ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { BerthError } from '../lib/errors.ts';

export type IncomingCall = ServerUnaryCall<object, object> | ServerWritableStream<object, object>;

/** A client hangs up when its own clock says so, which is earlier than ours by the time its call took to get here. */
const clockSlackMs = 100;

/** Aborts when the client leaves or its deadline passes; the reason says which. */
export function callSignal(call: IncomingCall): AbortSignal {
  const controller = new AbortController();
  const deadlineMs = Number(call.getDeadline());
  // Both kinds of call are emitters, but TypeScript does not see that of their union.
  const emitter: EventEmitter = call;
  emitter.on('cancelled', () => {
    const late = Date.now() >= deadlineMs - clockSlackMs;
    controller.abort(late ? new BerthError('timeout', "the client's deadline passed") : new BerthError('canceled', 'the client canceled the call'));
  });
  return controller.signal;
}
