/** JSON for verbose info: 64-bit integers become numbers where exact and strings elsewhere. */
export function infoJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry !== 'bigint') return entry;
    return entry <= BigInt(Number.MAX_SAFE_INTEGER) && entry >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(entry) : entry.toString();
  });
}
