// In Node, but not yet in its types.
const { rawJSON: rawJson } = JSON as typeof JSON & { readonly rawJSON: (text: string) => unknown };

/** JSON in which a bigint is written as a number with all its digits. */
export function stringifyExactly(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? rawJson(item.toString()) : item));
}

/** The inverse: an integer beyond what a number holds exactly, such as RLIM_INFINITY, becomes a bigint. */
export function parseExactly(text: string): unknown {
  // Hearing of every value takes ten times as long.
  if (!/\d{16}/.test(text)) return JSON.parse(text);
  const exact = (_: string, item: unknown, { source }: { readonly source: string }): unknown =>
    typeof item === 'number' && !Number.isSafeInteger(item) && /^-?\d+$/.test(source) ? BigInt(source) : item;
  return JSON.parse(text, exact as (key: string, item: unknown) => unknown);
}
