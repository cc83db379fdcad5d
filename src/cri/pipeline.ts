import type { RpcMetrics } from '../metrics/port.ts';
import { BerthError } from '../lib/errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { annotate, inSpan } from '../telemetry/trace.ts';
import { codeName, grpcStatus, type GrpcStatus, isFault } from './grpc-status.ts';
import type { ReadyGate } from './ready-gate.ts';
import { spanAttributes } from './span-attributes.ts';

export interface PipelineParts {
  readonly gate: ReadyGate;
  readonly metrics: RpcMetrics;
  readonly log: Logger;
}

export interface Call {
  /** Full name, such as runtime.v1.RuntimeService. */
  readonly service: string;
  readonly method: string;
  readonly request: object;
  readonly signal: AbortSignal;
  readonly headers: Readonly<Record<string, string>>;
}

/** An error as the client is to see it. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure';
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus) {
    super(status.details);
    this.status = status;
  }
}

type Work<Result> = () => Promise<Result>;

/** What surrounds every call, outermost first: error map, metrics, span, ready gate. Rejects with a CallFailure only. */
export async function throughPipeline<Result>(parts: PipelineParts, call: Call, work: Work<Result>): Promise<Result> {
  return mapErrors(parts, call, async () =>
    measured(parts, call, async () =>
      spanned(call, async () => {
        parts.gate.check();
        return work();
      }),
    ),
  );
}

/** The span has the names of OpenTelemetry's conventions for RPC. */
async function spanned<Result>({ service, method, request, headers }: Call, work: Work<Result>): Promise<Result> {
  const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method, ...spanAttributes(request) };
  const statusOf = (error: unknown): number => grpcStatus(error, method).code;
  return inSpan({ name: `${service}/${method}`, attributes, headers, isFault: (error) => isFault(statusOf(error)) }, async () => {
    try {
      const result = await work();
      annotate({ 'rpc.grpc.status_code': 0, ...(typeof result === 'object' && result !== null ? spanAttributes(result) : {}) });
      return result;
    } catch (error) {
      annotate({ 'rpc.grpc.status_code': statusOf(error) });
      throw error;
    }
  });
}

async function mapErrors<Result>({ log }: PipelineParts, { method }: Call, work: Work<Result>): Promise<Result> {
  try {
    return await work();
  } catch (err) {
    logFailure(log, method, err);
    throw new CallFailure(grpcStatus(err, method));
  }
}

/** Clients ask for what is gone all the time, to find out that it is: no news, and no stack that anybody would read. */
function logFailure(log: Logger, method: string, err: unknown): void {
  if (!(err instanceof BerthError) || err.kind === 'internal') log.error({ method, err }, 'call failed');
  else if (err.kind === 'not-found') log.debug({ method, error: err.message }, 'call failed');
  else log.info({ method, err }, 'call failed');
}

async function measured<Result>({ metrics }: PipelineParts, { method }: Call, work: Work<Result>): Promise<Result> {
  const startedMs = performance.now();
  const done = (code: string): void => {
    metrics.rpcEnded(method, code, (performance.now() - startedMs) / 1000);
  };
  try {
    const result = await work();
    done('OK');
    return result;
  } catch (error) {
    done(codeName(grpcStatus(error, method).code));
    throw error;
  }
}
