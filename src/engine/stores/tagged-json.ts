const tag = '$bigint';

/** A value as the state store takes it: plain JSON, with 64-bit integers as `{"$bigint": "…"}`. */
export function toJson(value: unknown): unknown {
  if (typeof value === 'bigint') return { [tag]: value.toString() };
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, toJson(item)]),
  );
}

/** The inverse of toJson(). */
export function fromJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first?.[0] === tag && typeof first[1] === 'string') return BigInt(first[1]);
  return Object.fromEntries(entries.map(([key, item]) => [key, fromJson(item)]));
}
