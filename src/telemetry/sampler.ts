import { trace, TraceFlags, type Context } from '@opentelemetry/api';

/** Decisions as the SDK numbers them. */
const drop = 0;
const keep = 2;

export interface HeadSampler {
  shouldSample(context: Context, traceId: string): { readonly decision: typeof drop | typeof keep };
  toString(): string;
}

/** Follows the caller's decision; of traces that begin here it keeps this share, chosen by trace id. */
export function headSampler(share: number): HeadSampler {
  const kept = (traceId: string): boolean => Number.parseInt(traceId.slice(-8), 16) < share * 2 ** 32;
  return {
    shouldSample: (context, traceId) => {
      const parent = trace.getSpanContext(context);
      const sampled = parent === undefined ? kept(traceId) : (parent.traceFlags & TraceFlags.SAMPLED) !== 0;
      return { decision: sampled ? keep : drop };
    },
    toString: () => `HeadSampler{${share}}`,
  };
}
