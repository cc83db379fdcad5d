/** JSON for verbose info: 64-bit integers become numbers where exact and strings elsewhere. */
export function infoJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry !== 'bigint') return entry;
    return entry <= BigInt(Number.MAX_SAFE_INTEGER) && entry >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(entry) : entry.toString();
  });
}

const maps = new Set(['labels', 'annotations', 'sysctls', 'unified']);

/** A message as the files that crictl takes spell it: the contract's names, without what is zero or empty. Bytes become text. */
export function protoJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (Array.isArray(value)) return value.map(protoJson);
  if (typeof value !== 'object' || value === null) return value;
  const given = Object.entries(value).filter(([name, entry]) => !isUnset(name, entry));
  return Object.fromEntries(given.map(([name, entry]) => [snakeCase(name), maps.has(name) ? entry : protoJson(entry)]));
}

/** A message that is there is said, though nothing is in it. */
function isUnset(name: string, entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null) return !entry;
  return (Array.isArray(entry) || maps.has(name)) && Object.keys(entry).length === 0;
}

const snakeCase = (name: string): string => (name === 'CDIDevices' ? 'CDI_devices' : name.replaceAll(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`));
