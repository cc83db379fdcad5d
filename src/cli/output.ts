import { printable } from '../lib/clean-text.ts';

export type Row = readonly string[];

/** Prints aligned columns under a header, as kubectl and crictl do. A cell's text cannot leave its line. */
export function table(header: Row, given: readonly Row[]): string {
  const rows = given.map((row) => row.map(printable));
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: Row): string => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ').trimEnd();
  return [header, ...rows].map(line).join('\n');
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(count: number): string {
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  const value = count / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? 'B'}`;
}

/** How long ago a time in nanoseconds since the epoch was, in its largest unit. */
export function age(atNs: string | undefined, nowMs: number = Date.now()): string {
  const seconds = Math.max(0, Math.round(nowMs / 1000 - Number(BigInt(atNs ?? '0') / 1_000_000_000n)));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

export function shortId(id: unknown): string {
  return String(id).replace(/^sha256:/, '').slice(0, 13);
}

/** An answer of berthd's own API with its keys as CRI spells them, so that all that `berth` prints is spelt one way. */
export function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (typeof value !== 'object' || value === null ) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), snakeKeys(inner)]));
}
