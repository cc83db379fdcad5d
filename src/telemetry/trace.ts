import { context, propagation, SpanKind, SpanStatusCode, trace, type Attributes, type Span } from '@opentelemetry/api';
import { messageOf } from '../lib/errors.ts';
import type { Phase } from '../lib/waterfall.ts';

export interface SpanRequest {
  readonly name: string;
  readonly attributes: Attributes;
  /** W3C headers of the caller, such as traceparent. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether a failure is this side's fault, which alone makes the span one that failed. */
  readonly isFault: (error: unknown) => boolean;
}

const tracer = trace.getTracer('berth');

/** Runs the work of a request inside a server span. Without a loaded SDK this only calls the work. */
export async function inSpan<Result>({ name, attributes, headers, isFault }: SpanRequest, work: () => Promise<Result>): Promise<Result> {
  const parent = propagation.extract(context.active(), headers);
  return tracer.startActiveSpan(name, { kind: SpanKind.SERVER, attributes }, parent, async (span) => {
    try {
      return await work();
    } catch (error) {
      if (isFault(error)) fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

function fail(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
}

/** Adds what became known during the call to the running span. */
export function annotate(attributes: Attributes): void {
  trace.getActiveSpan()?.setAttributes(attributes);
}

/** Adds the phases of an operation that began at this moment of `performance.now()` as children of the running span. */
export function recordPhases(phases: readonly Phase[], beganMs: number): void {
  if (trace.getActiveSpan()?.isRecording() !== true) return;
  const originMs = performance.timeOrigin + beganMs;
  for (const phase of phases) {
    tracer.startSpan(phase.name, { startTime: originMs + phase.startMs }).end(originMs + phase.startMs + phase.durationMs);
  }
}
