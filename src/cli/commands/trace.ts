import type { Context } from '../context.ts';
import { findEither } from '../find.ts';
import { snakeKeys } from '../output.ts';
import { renderWaterfall, type PhaseView } from '../render-waterfall.ts';

interface Trace {
  readonly waterfalls: readonly { readonly kind: string; readonly id: string; readonly name: string; readonly phases: readonly PhaseView[] }[];
}

/** `berth trace`: where the start of a pod or a container spent its time. */
export async function showTrace(context: Context, word: string): Promise<void> {
  const id = await findEither(context, word);
  const trace = (await (await context.operator()).get(`/v1/trace/${id}`)) as Trace;
  const text = trace.waterfalls.map(({ kind, id: full, name, phases }) => renderWaterfall(`${kind} ${name} (${full.slice(0, 13)})`, phases)).join('\n\n');
  context.print(snakeKeys(trace), () => text);
}
