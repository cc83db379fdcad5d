import { BerthError } from '../lib/errors.ts';
import type { RpcMetrics } from '../metrics/port.ts';
import type { Logger } from '../telemetry/log.ts';
import { annotate, inSpan, type SpanRequest } from '../telemetry/trace.ts';
import type { ReadyGate } from './ready-gate.ts';

/** How a call went, in the words of the door's protocol. */
export interface Outcome {
  /** As metrics name it. */
  readonly code: string;
  /** Whether it is this side's fault. */
  readonly fault: boolean;
  /** What a span says of it. */
  readonly attributes: SpanRequest['attributes'];
}

export interface Protocol<Failure extends Error> {
  readonly success: Outcome;
  outcomeOf(error: unknown, method: string): Outcome;
  /** The error as the client is to see it; of an unknown throwable it sees no detail. */
  failureOf(error: unknown, method: string): Failure;
}

export interface PipelineParts {
  readonly gate: ReadyGate;
  readonly metrics: RpcMetrics;
  readonly log: Logger;
}

export interface Pipeline extends PipelineParts {
  readonly protocol: Protocol<Error>;
}

export interface Call {
  readonly method: string;
  readonly span: Omit<SpanRequest, 'isFault'>;
}

type Work<Result> = () => Promise<Result>;

/** What surrounds every call, outermost first: error map, metrics, span, ready gate. Rejects with the protocol's failures only. */
export async function throughPipeline<Result>(pipeline: Pipeline, call: Call, work: Work<Result>): Promise<Result> {
  return mapErrors(pipeline, call, async () =>
    measured(pipeline, call, async () =>
      spanned(pipeline, call, async () => {
        pipeline.gate.check();
        return work();
      }),
    ),
  );
}

async function spanned<Result>({ protocol }: Pipeline, { method, span }: Call, work: Work<Result>): Promise<Result> {
  return inSpan({ ...span, isFault: (error) => protocol.outcomeOf(error, method).fault }, async () => {
    try {
      const result = await work();
      annotate(protocol.success.attributes);
      return result;
    } catch (error) {
      annotate(protocol.outcomeOf(error, method).attributes);
      throw error;
    }
  });
}

async function mapErrors<Result>({ log, protocol }: Pipeline, { method }: Call, work: Work<Result>): Promise<Result> {
  try {
    return await work();
  } catch (err) {
    logFailure(log, method, err);
    throw protocol.failureOf(err, method);
  }
}

/** Clients ask for what is gone all the time, to find out that it is: no news, and no stack that anybody would read. */
function logFailure(log: Logger, method: string, err: unknown): void {
  if (!(err instanceof BerthError) || err.kind === 'internal') log.error({ method, err }, 'call failed');
  else if (err.kind === 'not-found') log.debug({ method, error: err.message }, 'call failed');
  else log.info({ method, err }, 'call failed');
}

async function measured<Result>({ metrics, protocol }: Pipeline, { method }: Call, work: Work<Result>): Promise<Result> {
  const startedMs = performance.now();
  const done = ({ code }: Outcome): void => {
    metrics.rpcEnded(method, code, (performance.now() - startedMs) / 1000);
  };
  try {
    const result = await work();
    done(protocol.success);
    return result;
  } catch (error) {
    done(protocol.outcomeOf(error, method));
    throw error;
  }
}
