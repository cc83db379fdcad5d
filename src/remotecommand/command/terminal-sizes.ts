import type { Readable } from 'node:stream';
import type { TerminalSize } from '../../engine/model/session.ts';

/** A size takes some thirty bytes; what is no size by then never will be. */
const maxBytes = 1024;
const maxCells = 65_535;

function asSize(text: string): TerminalSize | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { Width: columns, Height: rows } = parsed as { readonly Width?: unknown; readonly Height?: unknown };
  const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= maxCells;
  return isCount(columns) && isCount(rows) ? { columns, rows } : undefined;
}

/** Reads `{"Width":80,"Height":24}` documents, which may be cut or joined on their way. Ends at what is none. */
export async function* terminalSizes(source: Readable): AsyncGenerator<TerminalSize, void> {
  let text = '';
  for await (const chunk of source) {
    text += String(chunk);
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const size = asSize(text.slice(0, end + 1));
      if (size === undefined) return;
      yield size;
      text = text.slice(end + 1);
    }
    if (text.length > maxBytes) return;
  }
}
