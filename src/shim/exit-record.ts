import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TaskExit } from './port.ts';

/** Where berth-shim records the exit of a bundle's container. */
export function exitFile(bundle: string): string {
  return join(bundle, 'exit.json');
}

/**
 * The exit that berth-shim recorded, undefined when there is none. It is written whole or not at all, so a file that cannot
 * be read as one is not one of ours.
 */
export function readExitRecord(bundle: string): TaskExit | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(exitFile(bundle), 'utf8'));
    return toExit(record as Readonly<Record<string, unknown>>);
  } catch {
    return undefined;
  }
}

function toExit(record: Readonly<Record<string, unknown>>): TaskExit | undefined {
  const { exitCode = 0, exitedAt, oomKilled = false } = record;
  if (typeof exitCode !== 'number' || typeof exitedAt !== 'string' || typeof oomKilled !== 'boolean') return undefined;
  return { exitCode, exitedAtNs: rfc3339Ns(exitedAt), oomKilled };
}

/** Nanoseconds since the epoch of a protobuf JSON timestamp, e.g. 2026-11-24T13:00:00.123456789Z. */
function rfc3339Ns(text: string): bigint {
  const [, seconds, fraction = ''] = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(text) ?? [];
  const milliseconds = Date.parse(`${seconds}Z`);
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}
