import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A unix socket's path holds this many bytes; a longer one is replaced by its hash, as berth-shim does. */
const maxSocketPath = 107;
const shortDirectory = '/run/berth-shims';

/** Where the log writer of a foreign shim listens, which knows nothing but the log's path. */
export function logControlAddress(logPath: string): string {
  const path = join(dirname(logPath), `.${basename(logPath)}.sock`);
  return `unix://${Buffer.byteLength(path) <= maxSocketPath ? path : join(shortDirectory, fnv1a(path))}`;
}

function fnv1a(text: string): string {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100_0000_01b3n);
  return hash.toString(16).padStart(16, '0');
}

/** Keeps the log's path with the bundle, so that a later daemon finds the log writer, too. */
export function rememberLog(bundle: string, logPath: string): void {
  writeFileSync(join(bundle, 'log-path'), logPath);
}

/** The log of a foreign shim's container, undefined when it has none. */
export function rememberedLog(bundle: string): string | undefined {
  try {
    return readFileSync(join(bundle, 'log-path'), 'utf8');
  } catch {
    return undefined;
  }
}
