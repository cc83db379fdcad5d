import { asBerthError, BerthError } from '../lib/errors.ts';

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const busy = 5;
const ioError = 10;
const corrupt = 11;
const full = 13;
const notADatabase = 26;

/** The primary result code of an error that node:sqlite threw, or undefined for anything else. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  // The higher bits hold the extended code.
  return error.errcode & 0xff;
}

export function isBusy(error: unknown): boolean {
  return resultCode(error) === busy;
}

export function isCorruption(error: unknown): boolean {
  const code = resultCode(error);
  return code === corrupt || code === notADatabase;
}

/** Says what a failed statement means to whoever runs the node. */
export function asStateError(error: unknown, doing: string): BerthError {
  const code = resultCode(error);
  if (code === full) return new BerthError('exhausted', `${doing}: the disk is full`, { hint: 'free space below the state root', cause: error });
  if (code === ioError) return new BerthError('internal', `${doing}: the disk failed`, { hint: 'look into the kernel log', cause: error });
  if (isCorruption(error)) return new BerthError('internal', `${doing}: the database is damaged`, { hint: 'restart berthd, which sets it aside', cause: error });
  return asBerthError(error, doing);
}
