import type { Context } from '../context.ts';
import { renderWaterfall, type PhaseView } from '../render-waterfall.ts';

interface Trace {
  readonly waterfalls: readonly { readonly kind: string; readonly id: string; readonly name: string; readonly phases: readonly PhaseView[] }[];
}

/** `berth trace`: where the start of a pod or a container spent its time. */
export async function showTrace(context: Context, id: string): Promise<void> {
  const trace = (await context.operator.get(`/v1/trace/${encodeURIComponent(id)}`)) as Trace;
  context.print(trace, ({ waterfalls }) => waterfalls.map(({ kind, id: full, name, phases }) => renderWaterfall(`${kind} ${name} (${full.slice(0, 13)})`, phases)).join('\n\n'));
}
