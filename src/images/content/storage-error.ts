import { BerthError, messageOf } from '../../lib/errors.ts';

const fullCodes = new Set(['ENOSPC', 'EDQUOT']);

/** A failed file operation as the error it is for the caller; `doing` reads as in "cannot <doing>". */
export function storageError(error: unknown, doing: string): BerthError {
  if (error instanceof BerthError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isFull = fullCodes.has(code);
  const text = `cannot ${doing}: ${isFull ? 'the disk is full' : messageOf(error)}`;
  return new BerthError(isFull ? 'exhausted' : 'internal', text, { cause: error });
}
